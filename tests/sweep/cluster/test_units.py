"""What a node gets, and what becomes of it when the node is gone."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from runner.store.sweep_folder import trial_file
from runner.sweep.cluster import node
from runner.sweep.cluster.units import Unit, note_lost, note_node, set_aside_unreachable, units_of


def overrides(job: str, round_: int, role: str, baseline: str | None) -> list[str]:
    subdir = f"hydra.sweep.subdir=trials/{job}-r{round_}-{role}"
    return [f"technique={job}", f"round={round_}", f"role={role}", f"baseline={baseline or 'null'}", subdir]


@pytest.fixture
def unit() -> Unit:
    batch = [
        overrides(job, 0, role, "a") for job, role in (("a", "baseline-first"), ("b", "variant"), ("c", "variant"))
    ]
    return units_of(batch)[0]


@pytest.fixture
def sweep(tmp_path: Path, unit: Unit, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLURMD_NODENAME", "n1")
    monkeypatch.setenv("PINBOX_NODE", "")  # so that it is put back afterwards
    for trial in unit.trials:
        trial_file(tmp_path, trial).parent.mkdir(parents=True)
    plan = {
        "jobs": [{"job": job, "baseline": "a"} for job in "abc"],
        "trials": [
            {"job": job, "round": 0, "role": role}
            for job, role in (("a", "baseline-first"), ("b", "variant"), ("c", "variant"))
        ],
    }
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    return tmp_path


def test_a_unit_is_a_round_of_the_jobs_that_share_a_baseline() -> None:
    batch = [
        overrides(job, round_, role, baseline)
        for round_ in (0, 1)
        for job, role, baseline in (("a", "baseline-first", "a"), ("b", "variant", "a"), ("z", "variant", None))
    ]
    units = units_of(batch)
    assert [unit.name for unit in units] == ["a-r0", "z-r0", "a-r1", "z-r1"]
    assert units[2].trials == ["a-r1-baseline-first", "b-r1-variant"]
    assert [line for unit in units for line in unit.overrides] == [batch[i] for i in (0, 1, 2, 3, 4, 5)]


def measure(sweep: Path, unit: Unit, trial: str) -> None:
    trial_file(sweep, trial).write_text(json.dumps({"status": "ok"}))


def test_what_raises_is_lost_and_the_others_go_on(sweep: Path, unit: Unit) -> None:
    def run(lines: list[str]) -> None:
        if "technique=b" in lines:
            raise OSError("no such folder\nsecond line")
        measure(sweep, unit, lines[-1].partition("trials/")[2])

    assert node.run_unit(unit, sweep, run) == {"b-r0-variant": "on n1: OSError: no such folder"}
    assert trial_file(sweep, "c-r0-variant").exists()


def test_only_what_is_missing_is_run(sweep: Path, unit: Unit) -> None:
    measure(sweep, unit, "a-r0-baseline-first")
    note_lost(sweep, "b-r0-variant", "on n1: lost", None)
    ran: list[str] = []
    node.run_unit(unit, sweep, lambda lines: ran.append(lines[0]))
    assert ran == ["technique=b", "technique=c"]


CANCELLED = """
import json, os, signal, sys
from pathlib import Path
from runner.sweep.cluster import node
from runner.sweep.cluster.units import Unit
from runner.store.sweep_folder import trial_file

sweep, unit = Path(sys.argv[1]), Unit(**json.loads(sys.argv[2]))

def run(lines):
    if "technique=b" in lines:
        trial_file(sweep, "b-r0-variant").write_text(json.dumps({"status": "crashed"}))  # its box died first
        os.kill(os.getpid(), signal.SIGTERM)
    trial_file(sweep, lines[-1].partition("trials/")[2]).write_text(json.dumps({"status": "ok"}))

before = signal.getsignal(signal.SIGTERM)
print(json.dumps(node.run_unit(unit, sweep, run)))
assert signal.getsignal(signal.SIGTERM) is before
"""


def test_a_cancelled_unit_ends_and_says_what_was_lost(sweep: Path, unit: Unit) -> None:
    # a process of its own, as on a node: what a signal does to this one is also up to the libraries it has loaded
    command = [sys.executable, "-c", CANCELLED, str(sweep), json.dumps(asdict(unit))]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3])
    assert done.returncode == 0, done.stderr
    lost = json.loads(done.stdout)
    assert lost.keys() == {"b-r0-variant", "c-r0-variant"}
    assert "cancelled" in lost["c-r0-variant"]
    assert not trial_file(sweep, "b-r0-variant").exists()


def test_a_round_is_not_continued_on_another_node(sweep: Path, unit: Unit, monkeypatch: pytest.MonkeyPatch) -> None:
    node.run_unit(unit, sweep, lambda lines: None)
    monkeypatch.setenv("SLURMD_NODENAME", "n2")
    with pytest.raises(Exception, match=r"n2 was given a round that n1 began"):
        node.run_unit(unit, sweep, lambda lines: None)


@pytest.mark.parametrize(("usable", "aside"), [({"n1", "n2"}, []), ({"n2"}, ["a-r0"])])
def test_a_round_of_a_lost_node_is_measured_anew(
    sweep: Path, unit: Unit, usable: set[str], aside: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PINBOX_NODE", "n1")
    note_node(sweep, "a-r0", {"cpu_model": "X"})
    measure(sweep, unit, "a-r0-baseline-first")
    assert set_aside_unreachable(sweep, usable) == aside
    file = trial_file(sweep, "a-r0-baseline-first")
    assert file.exists() == (not aside)
    assert file.with_name("trial-n1.json").exists() == bool(aside)  # what was measured is kept


def test_a_complete_round_of_a_lost_node_stays(sweep: Path, unit: Unit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PINBOX_NODE", "n1")
    note_node(sweep, "a-r0", {"cpu_model": "X"})
    for trial in unit.trials:
        measure(sweep, unit, trial)
    assert set_aside_unreachable(sweep, {"n2"}) == []
