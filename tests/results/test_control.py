"""What a report says of the comparison with transformers' own predictions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from runner.report.run import notes
from runner.results.collect import collect
from runner.results.records.measured import to_json
from runner.results.records.prepared import Control, PreparedJob
from runner.store.sweep_folder import SweepFolder
from tests.results.synthetic import Job, write_sweep

JOBS = [Job("torch-eager", 0.1), Job("onnx", 0.05), Job("onnx-int8", 0.04)]
EQUAL = Control("job", 36, 2e-6)


def _said(folder: Path, asked: int | None, notes_of_jobs: list[PreparedJob]) -> list[str]:
    write_sweep(folder, JOBS)
    plan = json.loads((folder / "plan.json").read_text())
    plan |= {} if asked is None else {"control_texts": asked}
    (folder / "plan.json").write_text(json.dumps(plan))
    for job, ready in zip(JOBS, notes_of_jobs, strict=False):
        path = SweepFolder(folder).prepared(job.key)
        path.parent.mkdir(parents=True)
        path.write_text(to_json(ready))
    return [note for note in notes(collect(folder)) if "transformers" in note]


@pytest.mark.parametrize(
    ("asked", "controls", "said"),
    [
        (None, [None], []),
        (0, [None], ["Not compared with transformers' own predictions: control_texts is 0."]),
        (
            32,
            [EQUAL, replace(EQUAL, largest_difference=1e-7)],
            ["In float32, predictions equal transformers' own on 36 texts (largest logit difference 2e-06)."],
        ),
        (
            32,
            [Control("job", reason="sizes differ.")],
            [f"Not compared with transformers' own predictions: {JOBS[0].key}: sizes differ."],
        ),
        (
            32,
            [None, None],
            ["Not compared with transformers' own predictions: 2 jobs: it was switched off when they were prepared."],
        ),
    ],
)
def test_the_report_says_what_was_compared(
    asked: int | None, controls: list[Control | None], said: list[str], tmp_path: Path
) -> None:
    assert _said(tmp_path, asked, [PreparedJob("ok", control=control) for control in controls]) == said


def test_a_wrong_job_is_not_called_equal(tmp_path: Path) -> None:
    assert _said(tmp_path, 32, [PreparedJob("wrong", "predictions differ")]) == []
