"""What several tests of exported folders share: a sweep of one task, and a sweep of every kind of task."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from runner.results.tables import Tables, read_tables

ROOT = Path(__file__).parents[2]
TECHNIQUES = ["torch-eager", "torchscript", "onnx", "onnx-int8", "openvino"]
Job = Callable[[str, str], str]  # a task and a technique -> the key of their job

PLACES = ["by the river", "in town", "on a hill", "far away"]
THINGS = ["horse", "table", "cloud", "stone"]
TEXTS = [f"there was a {thing} {place}" for thing in THINGS for place in PLACES]
LONG = " ".join(["so"] * 80)  # it is cut
PAIRS = ["was it a horse?", f"it was {LONG}"]
WORDS = [[*text.split(), "New York", "10\u00a0km", *["so"] * number] for number, text in enumerate([*TEXTS, LONG])]
ROWS: dict[str, list[dict[str, Any]]] = {
    "single": [{"text": text, "label": str("horse" in text)} for text in TEXTS],
    "pairs": [{"text": text, "pair": pair, "label": str("horse" in text)} for text in TEXTS for pair in PAIRS],
    "several": [{"text": text, "label": [word for word in ("horse", "hill") if word in text]} for text in TEXTS],
    "vectors": [{"text": text} for text in [*TEXTS, LONG]],
    "plain": [{"text": text} for text in TEXTS],
    "tagged": [{"text": words, "label": ["THING" if word in THINGS else "O" for word in words]} for words in WORDS],
}
SETTINGS: dict[str, dict[str, str]] = {
    "single": {},
    "pairs": {"task.text_pair_column": "pair"},
    "several": {"task.kind": "multi-label"},
    "vectors": {"task.kind": "embedding", "task.label_column": "null"},
    "plain": {"task.label_column": "null"},
    "tagged": {"task.kind": "tokens"},
}
TECHNIQUES_OF = {
    "single": ["torch-eager", "torchscript", "onnx", "onnx-int8", "onnx-weights-4bit", "openvino"],
    "pairs": ["torch-eager", "torchscript", "onnx", "onnx-int8", "openvino"],
    "several": ["torch-eager", "onnx"],
    "vectors": ["torch-eager", "onnx", "onnx-int8", "openvino"],
    "plain": ["torch-eager", "onnx"],
    "tagged": ["torch-eager", "torchscript", "onnx", "onnx-int8", "openvino"],
}


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """One round of a tiny random model, in pinned processes."""
    return _sweep(tmp_path_factory.mktemp("export"), [f"{{technique: [{', '.join(TECHNIQUES)}]}}"])


@pytest.fixture(scope="session")
def swept_tasks(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """One round of a tiny random model on a task of each kind, in pinned processes, without a baseline."""
    place = tmp_path_factory.mktemp("tasks")
    union = []
    for name, texts in ROWS.items():
        path = place / f"{name}.jsonl"
        path.write_text("".join(json.dumps({**row, "split": "test"}) + "\n" for row in texts))
        keys = {"task.name": name, "task.path": str(path), **SETTINGS[name]}
        listed = ", ".join(f"{key}: {value}" for key, value in keys.items())
        union.append(f"{{task: file, {listed}, technique: [{', '.join(TECHNIQUES_OF[name])}]}}")
    overrides = ("workload.max_length=64", "workload.batch_size=1", "grid.baseline=null")
    return _sweep(place, union, *overrides)


def job_of(tables: Tables, task: str, technique: str) -> str:
    """Return the key of the job of a task and a technique."""
    rows = tables.summary.to_pylist()
    return next(str(row["job"]) for row in rows if (row["task"], row["technique"]) == (task, technique))


@pytest.fixture(scope="session")
def job(swept_tasks: Tables) -> Job:
    """Return the function that finds a job of the shared sweep."""
    return partial(job_of, swept_tasks)


def _sweep(place: Path, union: Sequence[str], *overrides: str) -> Tables:
    command = [sys.executable, "-m", "runner", "-m", "grid=smoke", f"hydra.sweep.dir={place / 'sweep'}"]
    command += [f"grid.union=[{', '.join(union)}]", f"store={place / 'store'}", "isolation=process", "measure.rounds=1"]
    done = subprocess.run([*command, *overrides], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return read_tables(place / "sweep")
