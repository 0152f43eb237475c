"""The commands of the tutorial, one after the other, as a reader types them."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.cli.test_try import folder, shorten_measuring
from tests.patience import PATIENCE_SECONDS, wait_until

__all__ = ["folder"]

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)  # the language, and the lines
STAND_INS = {"/data/my-model": "my-model", "/data/reviews.csv": "reviews.csv"}
PORT = "8123"
FEWER = {  # on a busy machine, the second command completes the first
    "try": ["--techniques=onnx,onnx-int8", "--threads=1", "--budget=3m"],
    "load=open": ["load.probe_seconds=0.2"],
}
#: A first answer may run out of time, a model of random weights keeps no limit, and this machine may do other work.
ALLOWED = {"try": (0, 1, 2), "recommend": (0, 1), "load-test": (0, 1), "diff": (0, 1)}


def commands(port: str = PORT) -> list[str]:
    """Return what the tutorial has typed, in order, from `pinbox try` on.

    Args:
        port: the port of the service, instead of the tutorial's.
    """
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    lines = [line for language, block in BLOCK.findall(text) if not language for line in block.splitlines()]
    typed = [line for line in lines if line.startswith(("pinbox ", "python3 ", "serving/"))]
    for name, stand_in in STAND_INS.items():
        typed = [line.replace(name, stand_in) for line in typed]
    return [line.replace(PORT, port) for line in typed]


def test_the_tutorial_goes_from_a_model_to_a_service_and_its_comparison() -> None:
    verbs = [line.split()[1] for line in commands() if line.startswith("pinbox ")]
    assert verbs == ["try", "sweep", "recommend", "export", "sweep", "export", "load-test", "sweep", "diff"]


@pytest.mark.sweep
def test_each_command_works_after_the_one_before(
    folder: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    shutil.copytree(folder / "critic", tmp_path / "my-model")
    (tmp_path / "reviews.csv").write_bytes((folder / "films.csv").read_bytes())
    shorten_measuring(tmp_path)
    can_be_served = find_spec("mlperf_loadgen") is not None  # there are not wheels of it for every Python and machine
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        port = str(any_port.getsockname()[1])
    with ExitStack() as services:
        for line in commands(port):
            if not can_be_served and ("load=open" in line or "service" in line or "load-test" in line):
                continue
            began = time.monotonic()
            if "service.py" in line:
                services.enter_context(_running(line, tmp_path, port))
                continue
            done = _typed(line, tmp_path)
            verb = line.split()[1]
            record_property(f"{verb}_seconds", round(time.monotonic() - began, 1))
            assert done.returncode in ALLOWED.get(verb, (0,)), f"{line}: {done.stdout}{done.stderr}"
    assert (tmp_path / "deploy" / "predict.py").exists()
    assert (tmp_path / "outputs" / "changed" / "diff.html").exists()


def _typed(line: str, place: Path) -> subprocess.CompletedProcess[str]:
    """Run a line as a shell does, with our own `pinbox` and `python3`."""
    more = next((more for word, more in FEWER.items() if word in line.split()), [])
    line = line.replace("pinbox ", f"{sys.executable} -m runner.cli ", 1).replace("python3 ", f"{sys.executable} ", 1)
    environment = os.environ | {"DOCKER_HOST": f"unix://{place}/none.sock", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        shlex.join([*shlex.split(line), *more]) if more else line,
        shell=True,
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )


@contextmanager
def _running(line: str, place: Path, port: str) -> Iterator[None]:
    """Run the service until the end, and wait until it answers."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with (place / "service.log").open("w") as log:
        service = subprocess.Popen(shlex.split(line), cwd=place, env=environment, stdout=log, stderr=log)
        try:
            wait_until(lambda: _answers(port) or service.poll() is not None, "the service")
            assert service.poll() is None, (place / "service.log").read_text()
            yield
        finally:
            service.terminate()
            service.wait(PATIENCE_SECONDS)


def _answers(port: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health") as response:
            return bool(response.status == 200)
    except OSError:
        return False
