"""What follows from how an artifact was made: whether it is masked, and what its outputs are called."""

from __future__ import annotations

from typing import Any

import pytest

from runner.sweep.prepared import is_masked, labels_of_head, other_outputs

MASKED = {"masked": True, "epochs": [], "sparsity": 0.7}


@pytest.mark.parametrize(
    ("notes", "masked"),
    [
        ([], False),
        ([{"epochs": []}], False),
        ([{"epochs": []}, MASKED], True),
        ([MASKED, {"exporter": "traced"}, {}], True),
        ([MASKED, {"epochs": []}], False),
        ([MASKED, {"energy_kept": {}}], False),
    ],
)
def test_masked_until_weights_are_made_anew(notes: list[dict[str, Any]], masked: bool) -> None:
    assert is_masked([{"step": "x", "notes": one} for one in notes]) is masked


def test_a_record_may_have_no_notes() -> None:
    assert not is_masked([{"task": "tweets"}])


def test_outputs_are_called_as_the_model_last_called_them() -> None:
    made = [{"step": "import-checkpoint", "notes": {"labels": ["neg", "pos"]}}, {"step": "onnx-export", "notes": {}}]
    assert labels_of_head(made) == ["neg", "pos"]
    assert labels_of_head([{"step": "random-weights", "notes": {"head": "random"}}]) == []


def test_outputs_that_the_task_lacks_are_those_after_its_labels() -> None:
    made = [{"step": "import-checkpoint", "notes": {"labels": ["neg", "pos", "so"]}}]
    assert other_outputs(made, ["neg", "pos"]) == ["so"]
    assert other_outputs(made, []) == other_outputs(made, ["pos", "neg"]) == other_outputs([], ["neg"]) == []
