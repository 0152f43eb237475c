"""What several tests of exported folders share: sweeps."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from runner.results.tables import Tables, read_tables

ROOT = Path(__file__).parents[2]
TECHNIQUES = ["torch-eager", "torchscript", "onnx", "onnx-int8", "openvino"]


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """One round of a tiny random model, in pinned processes."""
    return _sweep(tmp_path_factory.mktemp("export"), [f"{{technique: [{', '.join(TECHNIQUES)}]}}"])


def sweep_of_tasks(
    place: Path,
    rows: Mapping[str, Sequence[Mapping[str, Any]]],
    settings: Mapping[str, Mapping[str, str]],
    techniques: Mapping[str, Sequence[str]],
    *overrides: str,
) -> Tables:
    """Run one round of a tiny random model on tasks of several kinds, in process boxes.

    Args:
        place: an empty folder.
        rows: the texts of each task by its name. All of them are test texts.
        settings: the keys of each task's config.
        techniques: the techniques that run on each task.
        overrides: Hydra's, for the whole sweep.
    """
    union = []
    for name, texts in rows.items():
        path = place / f"{name}.jsonl"
        path.write_text("".join(json.dumps({**row, "split": "test"}) + "\n" for row in texts))
        keys = {"task.name": name, "task.path": str(path), **settings[name]}
        listed = ", ".join(f"{key}: {value}" for key, value in keys.items())
        union.append(f"{{task: file, {listed}, technique: [{', '.join(techniques[name])}]}}")
    return _sweep(place, union, *overrides)


def _sweep(place: Path, union: Sequence[str], *overrides: str) -> Tables:
    command = [sys.executable, "-m", "runner", "-m", "grid=smoke", f"hydra.sweep.dir={place / 'sweep'}"]
    command += [f"grid.union=[{', '.join(union)}]", f"store={place / 'store'}", "isolation=process", "measure.rounds=1"]
    done = subprocess.run([*command, *overrides], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return read_tables(place / "sweep")
