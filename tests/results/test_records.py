"""The records: what they hold, how they are written and read, and the columns that follow from them."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from runner.results.json_files import read_record
from runner.results.records.measured import CallSeries, Measured, to_json
from runner.results.records.prepared import Control, PreparedJob
from runner.results.records.trial import MEASURED, STATUSES, TrialRecord
from runner.results.schema import RESULTS, SCHEMAS, SUMMARY


@pytest.mark.parametrize("table", SCHEMAS)
def test_every_column_says_what_it_holds(table: str) -> None:
    descriptions = [field.metadata[b"description"].decode() for field in SCHEMAS[table]]
    assert all(text.endswith((".", "…")) and len(text) > 10 for text in descriptions)


def test_the_summary_holds_the_median_of_all_that_is_measured_as_a_float() -> None:
    for name in MEASURED:
        assert SUMMARY.field(name).type == pa.float64()
        about = RESULTS.field(name).metadata[b"description"]
        assert SUMMARY.field(name).metadata[b"description"] == b"Median over the ok trials: " + about


def test_the_summary_counts_the_trials_of_every_status() -> None:
    assert {f"trials_{status.replace('-', '_')}" for status in STATUSES} <= set(SUMMARY.names)


def test_what_a_box_writes_becomes_part_of_the_trial(tmp_path: Path) -> None:
    measured = Measured()
    measured.calls, measured.load_seconds, measured.unfair = 2, 0.5, "other CPUs"
    measured.samples = CallSeries()
    measured.samples.latency_seconds = [0.25, 1e-9]
    (tmp_path / "measured.json").write_text(to_json(measured))
    trial = TrialRecord(status="unfair", job="a", wall_seconds=3.0)
    trial.add(read_record(tmp_path / "measured.json", Measured))
    (tmp_path / "trial.json").write_text(to_json(trial))
    content = json.loads((tmp_path / "trial.json").read_text())
    assert content.keys() == {"schema", "status", "job", "wall_seconds", "calls", "load_seconds", "samples"}
    read = read_record(tmp_path / "trial.json", TrialRecord)
    assert (read.calls, read.load_seconds, read.wall_seconds, read.warmup_calls) == (2, 0.5, 3.0, None)
    assert read.samples is not None
    assert read.samples.latency_seconds == [0.25, 1e-9]


def test_what_is_not_known_replaces_nothing() -> None:
    trial = TrialRecord(status="ok", calls=3)
    trial.add(Measured())
    assert trial.calls == 3


def test_a_prepared_job_is_read_as_it_was_written(tmp_path: Path) -> None:
    prepared = PreparedJob("ok", engine="torch", disk_bytes=5, control=Control("job", 36, 2e-6))
    (tmp_path / "prepared.json").write_text(to_json(prepared))
    assert read_record(tmp_path / "prepared.json", PreparedJob) == prepared


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"status": "fine"}', r"\$\.status"),
        ('{"status": "ok", "calls": "many"}', r"`str` - at `\$\.calls`"),
        ('{"status": "ok", "samples": {"turn": [0, 0.5]}}', r"\$\.samples\.turn\[1\]"),
        ("{}", "missing required field `status`"),
    ],
)
def test_an_error_names_the_field(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "trial.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_record(tmp_path / "trial.json", TrialRecord)
