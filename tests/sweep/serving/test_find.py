"""A whole search for a configuration with a tiny model: calls, batches, real load, and going on."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from runner.errors import UserError
from runner.recommend.capacity import Objective
from runner.sweep.serving import find, steps
from runner.sweep.serving.configuration import Variant, Wanted
from runner.sweep.serving.find import find_configuration
from runner.sweep.serving.measured import measured
from runner.sweep.serving.terminal import print_configurations

TINY = ["model=tiny", "task=alice", "workload=smoke", "isolation=process"]
WANTED = Wanted(["onnx"], 1, Objective(99.0, 0.05))


@pytest.mark.sweep
def test_it_finds_a_service_and_goes_on_from_there(
    tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(steps, "ROUNDS", 1)
    monkeypatch.setattr(steps, "_AT_ONCE", 1)
    monkeypatch.setattr(find, "_MEASURE", ("measure=smoke", "measure.reruns=0", "measure.peaks=false"))
    folder = tmp_path / "capacity"
    job = [*TINY, f"store={store}", "load.probe_seconds=0.2"]
    tables = find_configuration(folder, job, WANTED, 900)
    lines = "".join(capfd.readouterr()).splitlines()
    assert any(line.startswith("Calls of 1 technique, with 1 thread.") for line in lines)
    assert any(line.startswith("  ") and "The fastest calls: " in line for line in lines)
    assert any("onnx, 1 × 1" in line and ": holds " in line for line in lines)
    assert not any("not in the plan" in line or "Verdict" in line for line in lines)
    known = measured(tables)
    assert known.calls.keys() == {Variant("onnx", 1), Variant("torch-eager", 1)}
    assert known.batched == {Variant("onnx", 1)}
    assert {one.variant for one in known.capacities} == {Variant("onnx", 1)}
    assert known.capacities
    assert max(held.per_second for held in known.capacities.values()) > 10

    console = Console(record=True, width=120)
    assert print_configurations(tables, WANTED, console)
    assert "→ onnx, 1 worker × 1 thread" in console.export_text()
    assert "Capacity: requests a second" in (folder / "report.md").read_text()

    trials = {path: path.stat().st_mtime_ns for path in folder.glob("trials/*/trial.json")}
    find_configuration(folder, job, WANTED, 900)
    assert {path: path.stat().st_mtime_ns for path in folder.glob("trials/*/trial.json")} == trials


def test_a_budget_that_ends_too_soon_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="before anything was measured"):
        find_configuration(tmp_path / "capacity", [*TINY, f"store={tmp_path / 'store'}"], WANTED, 0.5)


def test_a_sweep_that_cannot_start_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="could not run"):
        find_configuration(tmp_path / "capacity", [*TINY, "nonsense=1"], WANTED, 60)
