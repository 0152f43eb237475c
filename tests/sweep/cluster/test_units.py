"""What a node gets, and what becomes of it when the node is gone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from runner.results.records.plan import Role, TrialSpec, write_plan
from runner.store.sweep_folder import SweepFolder
from runner.sweep.cluster import node
from runner.sweep.cluster.units import Unit, note_lost, note_node, set_aside_unreachable, units_of
from tests.sweep.plans import a_plan

ROLES = {"a": Role.baseline_first, "b": Role.variant, "c": Role.variant}


@pytest.fixture
def unit() -> Unit:
    return units_of(TrialSpec(job, 0, place, role, "a") for place, (job, role) in enumerate(ROLES.items()))[0]


@pytest.fixture
def sweep(tmp_path: Path, unit: Unit, monkeypatch: pytest.MonkeyPatch) -> SweepFolder:
    monkeypatch.setenv("SLURMD_NODENAME", "n1")
    monkeypatch.setenv("PINBOX_NODE", "")  # so that it is put back afterwards
    folder = SweepFolder(tmp_path)
    write_plan(folder, a_plan(unit.trials))
    return folder


def test_a_unit_is_a_round_of_the_jobs_that_share_a_baseline() -> None:
    trials = [
        TrialSpec(job, round_, place, role, baseline)
        for round_ in (0, 1)
        for place, (job, role, baseline) in enumerate(
            [("a", Role.baseline_first, "a"), ("b", Role.variant, "a"), ("z", Role.variant, None)]
        )
    ]
    units = units_of(trials)
    assert [unit.name for unit in units] == ["a-r0", "z-r0", "a-r1", "z-r1"]
    assert [trial.name for trial in units[2].trials] == ["a-r1-baseline-first", "b-r1-variant"]
    assert [trial for unit in units for trial in unit.trials] == trials


def measure(sweep: SweepFolder, trial: str) -> None:
    sweep.write(sweep.trial(trial), json.dumps({"status": "ok"}))


def test_what_raises_is_lost_and_the_others_go_on(sweep: SweepFolder, unit: Unit) -> None:
    def run(folder: SweepFolder, trial: str) -> None:
        if trial.startswith("b-"):
            raise OSError("no such folder\nsecond line")
        measure(folder, trial)

    assert node.run_unit(unit, sweep, run) == {"b-r0-variant": "on n1: OSError: no such folder"}
    assert sweep.trial("c-r0-variant").exists()


def test_only_what_is_missing_is_run(sweep: SweepFolder, unit: Unit) -> None:
    measure(sweep, "a-r0-baseline-first")
    note_lost(sweep, "b-r0-variant", "on n1: lost", None)
    ran: list[str] = []
    node.run_unit(unit, sweep, lambda folder, trial: ran.append(trial))
    assert ran == ["b-r0-variant", "c-r0-variant"]
    assert not sweep.lost("b-r0-variant").exists()


CANCELLED = """
import json, os, signal, sys
from pathlib import Path
from runner.results.records.plan import read_plan
from runner.store.sweep_folder import SweepFolder
from runner.sweep.cluster import node
from runner.sweep.cluster.units import units_of

sweep = SweepFolder(Path(sys.argv[1]))
(unit,) = units_of(read_plan(sweep).trials)

def run(folder, trial):
    if trial == "b-r0-variant":
        folder.write(folder.trial(trial), json.dumps({"status": "crashed"}))  # its box died first
        os.kill(os.getpid(), signal.SIGTERM)
    folder.write(folder.trial(trial), json.dumps({"status": "ok"}))

before = signal.getsignal(signal.SIGTERM)
print(json.dumps(node.run_unit(unit, sweep, run)))
assert signal.getsignal(signal.SIGTERM) is before
"""


def test_a_cancelled_unit_ends_and_says_what_was_lost(sweep: SweepFolder, unit: Unit) -> None:
    # a process of its own, as on a node: what a signal does to this one is also up to the libraries it has loaded
    command = [sys.executable, "-c", CANCELLED, str(sweep.path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3])
    assert done.returncode == 0, done.stderr
    lost = json.loads(done.stdout)
    assert lost.keys() == {"b-r0-variant", "c-r0-variant"}
    assert "cancelled" in lost["c-r0-variant"]
    assert not sweep.trial("b-r0-variant").exists()


def test_a_round_is_not_continued_on_another_node(
    sweep: SweepFolder, unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.run_unit(unit, sweep, lambda folder, trial: None)
    monkeypatch.setenv("SLURMD_NODENAME", "n2")
    with pytest.raises(Exception, match=r"n2 was given a round that n1 began"):
        node.run_unit(unit, sweep, lambda folder, trial: None)


@pytest.mark.parametrize(("usable", "aside"), [({"n1", "n2"}, []), ({"n2"}, ["a-r0"])])
def test_a_round_of_a_lost_node_is_measured_anew(
    sweep: SweepFolder, unit: Unit, usable: set[str], aside: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PINBOX_NODE", "n1")
    note_node(sweep, "a-r0", {"cpu_model": "X"})
    measure(sweep, "a-r0-baseline-first")
    assert set_aside_unreachable(sweep, usable) == aside
    file = sweep.trial("a-r0-baseline-first")
    assert file.exists() == (not aside)
    assert file.with_name("trial-n1.json").exists() == bool(aside)  # what was measured is kept


def test_a_complete_round_of_a_lost_node_stays(sweep: SweepFolder, unit: Unit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PINBOX_NODE", "n1")
    note_node(sweep, "a-r0", {"cpu_model": "X"})
    for trial in unit.trials:
        measure(sweep, trial.name)
    assert set_aside_unreachable(sweep, {"n2"}) == []
