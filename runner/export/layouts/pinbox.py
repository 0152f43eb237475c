"""The layout `pinbox`: the artifact byte for byte, a script that calls it as measured, and optionally a service."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from runner.config.task_kinds import TOKENS, VECTORS
from runner.export.layouts.layout import Handover, as_json, code
from runner.export.script import own_modules, predict_script
from runner.export.service import PACKAGES, service_files
from runner.export.settings import requirements
from runner.export.variant import Variant
from runner.report.markdown import escape
from runner.results.format import pluralize


class Pinbox:
    """A folder that works without Pinbox. It has a service if the settings have one; see `runner.export.service`."""

    name: ClassVar[str] = "pinbox"
    loaded_by: ClassVar[str] = "its own predict.py"

    def check(self, handover: Handover) -> None:
        """Accept every variant."""

    def write(self, handover: Handover, folder: Path) -> None:
        """Write the artifact, the tokenizer, the script, and the service if there is one."""
        variant, service = handover.variant, handover.settings.get("service")
        script = predict_script(variant.engine, variant.kind, variant.pairs)
        texts = {
            "predict.py": script,
            **own_modules(script),
            "settings.json": as_json(handover.settings),
            "requirements.txt": requirements(variant, handover.environment, PACKAGES if service else ()),
            **(service_files(variant, service) if service else {}),
        }
        shutil.copytree(handover.sources.artifact, folder, dirs_exist_ok=True, copy_function=shutil.copyfile)
        shutil.copyfile(handover.sources.tokenizer, folder / "tokenizer.json")
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")

    def use(self, handover: Handover) -> Iterator[str]:
        """Yield how to run predict.py, and the service if there is one."""
        variant, service = handover.variant, handover.settings.get("service")
        yield run_script(variant)
        yield escape(_how_called(variant))
        if service:
            yield from _serve(service, variant)


def run_script(variant: Variant) -> str:
    """Return the commands that run predict.py on an example."""
    given = '"One text" "The text that goes with it"' if variant.pairs else '"A text to be evaluated"'
    if variant.kind == TOKENS:
        given = '"The words of a text , a space between them"'
    to = " > vectors.txt" if variant.kind in VECTORS else ""
    return code(f"pip install -r requirements.txt\npython predict.py {given}{to}")


def _how_called(variant: Variant) -> str:
    row, rest = variant.row, json.loads(variant.trial["box_rest"] or "{}")
    python = f"Python {rest['python']}" if rest.get("python") else "an unknown Python"
    return (
        f"predict.py needs only this folder and these packages. It calls the model as it was called when it was "
        f"measured, with {pluralize(row['threads'], 'thread')} (settings.json). It was measured on {python}, with "
        "pinned CPUs. predict.py does not pin them, but you can, such as with taskset."
    )


def _serve(service: Mapping[str, Any], variant: Variant) -> Iterator[str]:
    one: Any = "A text to be evaluated"
    one = {"text": one, "pair": ["One text", "The text that goes with it"], "words": one.split()}[service["input"]]
    body = json.dumps({"inputs": one})
    yield "## Serve it"
    yield code(
        "pip install -r requirements.txt\npython service.py --port 8000\n"
        f"curl http://127.0.0.1:8000/predict -d '{body}'"
    )
    threads = pluralize(variant.row["threads"], "thread")
    batches = f"batches of up to {service['max_batch_size']}" if service["max_batch_size"] > 1 else "one text at a time"
    yield escape(
        f"The service has {pluralize(service['workers'], 'worker')}. Each worker is a process with {threads}, and "
        f"answers {batches}. Up to {pluralize(service['queue'], 'text')} wait (settings.json); one that arrives when "
        "the queue is full is rejected with status 503. GET /health says whether all workers run, and GET /metrics "
        "counts for Prometheus. The service ends when a worker ends: let something start it again, such as Docker's "
        "--restart=always. The Dockerfile makes an image of it."
    )
