"""The commands of the tutorial, one after the other, as a reader types them."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.test_try import folder, shorten_measuring
from tests.patience import PATIENCE_SECONDS

__all__ = ["folder"]

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)  # the language, and the lines
STAND_INS = {"/data/my-model": "my-model", "/data/reviews.csv": "reviews.csv"}
FEW = ["--techniques=onnx,onnx-int8", "--threads=1", "--budget=3m"]  # on a busy machine, the next command completes it


def commands() -> list[list[str]]:
    """Return the commands of the tutorial that begin with `pinbox`, in order."""
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    lines = [line for language, block in BLOCK.findall(text) if not language for line in block.splitlines()]
    typed = [shlex.split(line, comments=True) for line in lines if line.startswith("pinbox ")]
    return [[STAND_INS.get(word, word) for word in command] for command in typed]


def test_the_tutorial_begins_with_try_and_ends_with_export() -> None:
    verbs = [command[1] for command in commands()]
    assert verbs == ["try", "sweep", "recommend", "export"]


@pytest.mark.sweep
def test_each_command_works_after_the_one_before(
    folder: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    shutil.copytree(folder / "critic", tmp_path / "my-model")
    (tmp_path / "reviews.csv").write_bytes((folder / "films.csv").read_bytes())
    shorten_measuring(tmp_path)
    environment = os.environ | {"DOCKER_HOST": f"unix://{tmp_path}/none.sock", "PYTHONPATH": str(ROOT)}
    for command in commands():
        more = FEW if command[1] == "try" else []
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "runner.cli", *command[1:], *more],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
        )
        record_property(f"{command[1]}_seconds", round(time.monotonic() - began, 1))
        # A first answer may run out of time, and a model of random weights keeps no limit.
        allowed = {"try": (0, 1, 2), "recommend": (0, 1)}.get(command[1], (0,))
        assert done.returncode in allowed, done.stderr
    assert (tmp_path / "deploy" / "predict.py").exists()
