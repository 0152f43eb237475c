"""What several tests of exported folders share: a sweep."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from runner.results.tables import Tables, read_tables

ROOT = Path(__file__).parents[2]
TECHNIQUES = ["torch-eager", "torchscript", "onnx", "onnx-int8", "openvino"]


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """One round of a tiny random model, in pinned processes."""
    place = tmp_path_factory.mktemp("export")
    grid = f"grid.union=[{{technique: [{', '.join(TECHNIQUES)}]}}]"
    settings = ["isolation=process", "measure.rounds=1"]
    command = [sys.executable, "-m", "runner", "-m", "grid=smoke", f"hydra.sweep.dir={place / 'sweep'}", grid]
    done = subprocess.run([*command, f"store={place / 'store'}", *settings], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return read_tables(place / "sweep")
