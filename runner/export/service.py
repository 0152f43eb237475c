"""Assemble the service of an exported folder: the server and its worker from templates, and the image that runs them.

The loop of a worker is `runner.trial.loop`, byte for byte, so it is the loop that was measured.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from runner.config.load import LoadConfig
from runner.config.paths import MAKE
from runner.config.task_kinds import EMBEDDING, TOKENS, VECTORS
from runner.errors import UserError
from runner.export.variant import Variant
from runner.isolation.box import environment

#: The server's packages, in the versions that tests/export/test_service.py runs.
PACKAGES = ("httptools==0.9.0", "prometheus_client==0.26.0", "starlette==1.10.0", "uvicorn==0.54.0", "uvloop==0.23.0")
_TEMPLATES = Path(__file__).parent / "templates"
_LOOP = Path(__file__).parents[1] / "trial" / "loop.py"
_PREDICT = re.compile(r"runner\.export\.templates\.\w+")
_DOCKERFILE = """\
# docker build -t service . && docker run --rm -p 8000:8000 --cpuset-cpus {cpuset} service
FROM python:{python}-slim
WORKDIR /service
COPY requirements.txt .
RUN pip install --no-cache-dir --only-binary :all: -r requirements.txt
COPY . .
USER 65534:65534
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp
EXPOSE 8000
HEALTHCHECK --start-period=60s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health')"]
CMD ["python", "service.py", "--host", "0.0.0.0"]
"""


def service_settings(variant: Variant, load: LoadConfig) -> dict[str, Any]:
    """Return the part `service` of settings.json.

    Args:
        variant: the variant.
        load: the load under which it was measured. If that is closed, the service has one worker that answers one
            text at a time.

    Raises:
        UserError: if its engine needs a compiler, which the image of a service does not have.
    """
    if variant.engine == "torch_compile":
        raise UserError(
            f"{variant.name} is compiled each time it is loaded, which needs a C++ compiler, and the image of a "
            "service has none. Export it without --service, or export a variant of another engine."
        )
    served = load if load.is_open else LoadConfig()
    return {
        "kind": EMBEDDING if variant.kind in VECTORS else variant.kind,
        "input": "pair" if variant.pairs else "words" if variant.kind == TOKENS else "text",
        "workers": served.workers,
        "max_batch_size": served.batching.max_batch_size,
        "max_wait_milliseconds": served.batching.max_wait_milliseconds,
        "queue": served.queue,
        "environment": environment(variant.row["threads"]),
    }


def service_files(variant: Variant, service: dict[str, Any]) -> dict[str, str]:
    """Return the service's files by name.

    Args:
        variant: the variant.
        service: its settings; see `service_settings`.
    """
    worker = _PREDICT.sub("predict", _read(_TEMPLATES / "worker.py"))
    cores = service["workers"] * variant.row["threads"]
    return {
        "service.py": _read(_TEMPLATES / "service.py"),
        "worker.py": worker.replace("runner.trial.loop", "loop"),
        "loop.py": _read(_LOOP),
        "Dockerfile": _DOCKERFILE.format(python=_python(variant), cpuset=f"0-{cores}"),
    }


def _python(variant: Variant) -> str:
    """Return the minor version of the Python with which the variant was measured."""
    version = str(json.loads(variant.trial["box_rest"] or "{}").get("python"))
    found = re.match(r"3\.\d+", version)
    if not found:
        raise UserError(
            f"The sweep says that Python {version!r:.60} ran {variant.row['job']}, which is not a version. The sweep "
            f"is from an older Pinbox, or was changed: run its grid again with {MAKE} sweep."
        )
    return found.group()


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
