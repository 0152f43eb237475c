"""A whole search with a tiny model: rungs, going on, the end of the budget."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runner.config.paths import CONF, choices
from runner.errors import UserError
from runner.results.records.plan import PlanRecord, Role, TrialSpec
from runner.sweep.search import halving
from runner.sweep.search.catalogue import fitting
from runner.sweep.search.state import merged
from tests.sweep.plans import a_plan

TINY = ["model=tiny", "task=alice", "workload=smoke", "measure=smoke", "isolation=process", "grid.baseline=onnx"]


def test_what_does_not_fit_is_left_out_with_the_reason() -> None:
    assert {"onnx", "torch-eager"} <= set(choices("technique"))
    fit, refused = fitting(CONF, ["onnx", "heads-25-importance"], TINY)
    assert fit == ["onnx"]
    assert "has no labels" in refused["heads-25-importance"]
    with pytest.raises(UserError, match="there is no key 'thread'"):
        fitting(CONF, ["onnx"], [*TINY, "thread=2"])


def test_a_trial_stays_as_the_first_plan_placed_it() -> None:
    def plan(*trials: tuple[str, int, int], rounds: int) -> PlanRecord:
        return a_plan([TrialSpec(job, number, place, Role.variant, None) for job, number, place in trials], rounds)

    both = merged(plan(("a", 0, 0), ("b", 0, 1), rounds=1), plan(("b", 0, 0), ("b", 1, 0), rounds=2))
    assert {job.job for job in both.jobs} == {"a", "b"}
    assert [(trial.job, trial.round, trial.position) for trial in both.trials] == [
        ("a", 0, 0),
        ("b", 0, 1),
        ("b", 1, 0),
    ]
    assert both.measure["rounds"] == 2


@pytest.mark.sweep
def test_rungs_of_one_folder_are_one_sweep(
    tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(halving, "ROUNDS", (1, 2))
    monkeypatch.setattr(halving, "_survivors", lambda tables, alive: [name for name in alive if name != "onnx"])
    folder, techniques = tmp_path / "search", ["onnx", "onnx-int8"]
    arguments = (folder, [*TINY, f"store={store}"], techniques)
    tables = halving.search(*arguments, 600)
    rows = {row["technique"]: row for row in tables.summary.to_pylist()}
    assert {row["status"] for row in rows.values()} == {"ok"}
    assert rows["onnx-int8"]["rounds_run"] == 2
    state = json.loads((folder / "search.json").read_text())
    assert [rung["techniques"] for rung in state["rungs"]] == [techniques, ["onnx-int8"]]
    assert not tables.manifest["warnings"]
    assert (folder / "report.html").exists()
    lines = [line for line in "".join(capfd.readouterr()).splitlines() if line]
    lines = [line for line in lines if "is used by another sweep" not in line]  # a test beside this one may run it
    assert [line.partition(";")[0] for line in lines] == [
        "Rung of 1 round: 2 of 2 techniques",
        "  3 trials. No other dominates onnx-int8.",
        "Rung of 2 rounds: 1 of 2 techniques",
        "  3 trials. No other dominates onnx-int8.",
    ]

    trials = {path: path.stat().st_mtime_ns for path in folder.glob("trials/*/trial.json")}
    again = halving.search(*arguments, 600)
    assert again.results.equals(tables.results)
    assert {path: path.stat().st_mtime_ns for path in folder.glob("trials/*/trial.json")} == trials


def test_a_budget_that_ends_too_soon_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="before anything was measured"):
        halving.search(tmp_path / "search", [*TINY, f"store={tmp_path / 'store'}"], ["onnx", "onnx-int8"], 0.5)


def test_a_sweep_that_cannot_start_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="could not run"):
        halving.search(tmp_path / "search", [*TINY, "nonsense=1"], ["onnx"], 60)
