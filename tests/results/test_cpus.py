"""Rounds on nodes of different CPU models: each model has its own statistics, side by side."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.compute as pc
import pytest

from runner.report.write import write_report
from runner.results.collect import collect
from tests.results.synthetic import BASELINE, DEMO, edit, trial_file, write_sweep

ONNX = DEMO[1]
OLD, NEW = "Xeon(R) Gold 6148 CPU @ 2.40GHz", "EPYC 9654"
SLOW_ROUNDS = (0, 2, 4)  # on OLD, where onnx is as slow as the baseline; on NEW it takes 0.8 of it


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Six rounds by turns on two CPU models; the last one was lost before any node began it."""
    sweep = write_sweep(tmp_path, rounds=6)
    (sweep / "nodes").mkdir()
    for number in range(5):
        cpu = OLD if number in SLOW_ROUNDS else NEW
        (sweep / "nodes" / f"{BASELINE.key}-r{number}.json").write_text(
            json.dumps({"node": f"n{number % 2}", "cpu_model": cpu})
        )
    for path in sweep.glob("trials/*-r5-*/trial.json"):
        path.with_name("lost.json").write_text(json.dumps({"status": "lost", "error": "on n9: gone", "log": None}))
        path.unlink()
    for number in SLOW_ROUNDS:
        path = trial_file(sweep, ONNX, number)
        samples = json.loads(path.read_text())["samples"]
        samples["latency_seconds"] = [seconds / 0.8 for seconds in samples["latency_seconds"]]
        edit(path, samples=samples)
        for own in sweep.glob(f"trials/*-r{number}-*/trial.json"):  # the reference kernel is slower there, too
            edit(own, reference_seconds=10 * json.loads(own.read_text())["reference_seconds"])
    return sweep


def test_each_cpu_model_has_rows_ratios_and_rounds_of_its_own(mixed: Path) -> None:
    rows = [row for row in collect(mixed).summary.to_pylist() if row["technique"] == "onnx"]
    by_cpu = {row["cpu"]: row for row in rows}
    assert by_cpu.keys() == {OLD, NEW}
    assert by_cpu[OLD]["latency_ratio"] == pytest.approx(1.0, abs=0.05)
    assert by_cpu[NEW]["latency_ratio"] == pytest.approx(0.8, abs=0.05)
    assert (by_cpu[OLD]["trials_ok"], by_cpu[NEW]["trials_ok"]) == (3, 2)
    assert by_cpu[OLD]["baseline_job"] != by_cpu[NEW]["baseline_job"]
    assert {row["accuracy"] for row in rows} == {rows[0]["accuracy"]} != {None}


def test_a_slower_cpu_is_not_a_disturbed_one(mixed: Path) -> None:
    assert collect(mixed).results["disturbed_by"].null_count == 6 * 6


def test_no_row_is_lost_and_each_belongs_to_a_summary_row(mixed: Path) -> None:
    tables = collect(mixed)
    assert len(tables.results) == 6 * (len(DEMO) + 1)
    lost = tables.results.filter(pc.equal(tables.results["status"], "lost"))
    assert len(lost) == len(DEMO) + 1
    assert set(lost["error"].to_pylist()) == {"on n9: gone"}
    known = set(tables.summary["job"].to_pylist())
    long = (tables.samples.read(), tables.memory.read(), tables.predictions.read())
    for table in (tables.results, *long):
        assert set(table["job"].to_pylist()) <= known
    assert tables.manifest["warnings"] == []
    assert tables.manifest["environment"]["cpu_model"] == f"{NEW} and {OLD}"
    assert tables.manifest["nodes"].keys() == {"n0", "n1"}


def test_the_report_shows_them_side_by_side(mixed: Path) -> None:
    collect(mixed)
    write_report(mixed)
    text = (mixed / "report.md").read_text().replace("\\@", "@")
    for cpu in (OLD, NEW):
        assert f"## minilm-l6 on tweets, workload b1, 1 thread, on {cpu}\n" in text


def test_alike_nodes_stay_together(mixed: Path) -> None:
    for note in (mixed / "nodes").iterdir():
        edit(note, cpu_model=NEW)
    summary = collect(mixed).summary
    assert len(summary) == len(DEMO)
    assert summary["cpu"].null_count == len(DEMO)
