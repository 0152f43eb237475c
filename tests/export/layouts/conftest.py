"""What the tests of layouts share: a sweep of every kind of task, and a handover of one of its variants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from runner.results.tables import Tables
from tests.export.conftest import sweep_of_tasks

PLACES = ["by the river", "in town", "on a hill", "far away"]
THINGS = ["horse", "table", "cloud", "stone"]
TEXTS = [f"there was a {thing} {place}" for thing in THINGS for place in PLACES]
LONG = " ".join(["so"] * 80)  # it is cut
PAIRS = ["was it a horse?", f"it was {LONG}"]
ROWS: dict[str, list[dict[str, Any]]] = {
    "single": [{"text": text, "label": str("horse" in text)} for text in TEXTS],
    "pairs": [{"text": text, "pair": pair, "label": str("horse" in text)} for text in TEXTS for pair in PAIRS],
    "several": [{"text": text, "label": [word for word in ("horse", "hill") if word in text]} for text in TEXTS],
    "vectors": [{"text": text} for text in [*TEXTS, LONG]],
    "tagged": [
        {"text": text.split(), "label": ["THING" if word in THINGS else "O" for word in text.split()]}
        for text in [*TEXTS, LONG]
    ],
}
SETTINGS: dict[str, dict[str, str]] = {
    "single": {},
    "pairs": {"task.text_pair_column": "pair"},
    "several": {"task.kind": "multi-label"},
    "vectors": {"task.kind": "embedding", "task.label_column": "null"},
    "tagged": {"task.kind": "tokens"},
}
TECHNIQUES = {
    "single": ["onnx", "onnx-int8", "onnx-weights-4bit", "openvino", "torchscript"],
    "pairs": ["onnx-int8", "openvino"],
    "several": ["onnx"],
    "vectors": ["onnx", "onnx-int8", "openvino"],
    "tagged": ["onnx"],
}


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """One round of a tiny random model on a task of each kind."""
    overrides = ("workload.max_length=64", "workload.batch_size=1")
    techniques = {name: ["torch-eager", *others] for name, others in TECHNIQUES.items()}
    return sweep_of_tasks(tmp_path_factory.mktemp("layouts"), ROWS, SETTINGS, techniques, *overrides)


@pytest.fixture(scope="session")
def job(swept: Tables) -> Callable[[str, str], str]:
    """Return the key of the job of a task and a technique."""
    rows = swept.summary.to_pylist()
    return lambda task, technique: next(
        str(row["job"]) for row in rows if (row["task"], row["technique"]) == (task, technique)
    )
