"""What a node gets at once: one round of the jobs that share a baseline, since ratios hold only within a node.

So does a slot of this machine (runner/sweep/slots).

Beside the trials, `nodes/UNIT.json` notes which node measured a unit. A unit that was begun goes on there; if that node
is gone, the unit is measured anew, whole, on another, and what the first one measured is set aside.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.store.artifacts import atomic_write
from runner.store.sweep_folder import lost_file, trial_file

NODE = "PINBOX_NODE"  # set by us on a node; Slurm's own variable is also there when a sweep runs inside an allocation


@dataclass(frozen=True)
class Unit:
    """Trials for one node, or one slot of this machine.

    Attributes:
        name: the baseline's key and the round.
        overrides: of each trial, in order.
        trials: the name of each.
    """

    name: str
    overrides: list[list[str]]
    trials: list[str]


def units_of(batch: Sequence[Sequence[str]]) -> list[Unit]:
    """Group a batch of trials, given by their overrides, into units; both keep their order."""
    units: dict[str, Unit] = {}
    for overrides in batch:
        values = dict(line.partition("=")[::2] for line in overrides)
        trial = values["hydra.sweep.subdir"].removeprefix("trials/")
        job = trial.rpartition(f"-r{values['round']}-")[0]
        block = job if values["baseline"] == "null" else values["baseline"]
        name = unit_name(block, int(values["round"]))
        unit = units.setdefault(name, Unit(name, [], []))
        unit.overrides.append(list(overrides))
        unit.trials.append(trial)
    return list(units.values())


def unit_name(block: str, round_: int) -> str:
    """Return the name of a round of a block; a block is named by its baseline."""
    return f"{block}-r{round_}"


def this_node() -> str | None:
    """Return the name of the cluster's node that this process measures on; None outside a cluster."""
    return os.environ.get(NODE)


def note_node(sweep: Path, unit: str, environment: dict[str, Any]) -> None:
    """Note that this node measures a unit."""
    path = note_file(sweep, unit)
    path.parent.mkdir(exist_ok=True)
    atomic_write(path, json.dumps({"node": this_node(), **environment}, indent=1))


def noted_node(sweep: Path, unit: str) -> dict[str, Any] | None:
    """Return what was noted of the node that measured a unit; None if none began it."""
    path = note_file(sweep, unit)
    if not path.exists():
        return None
    note: dict[str, Any] = json.loads(path.read_text())
    return note


def note_file(sweep: Path, unit: str) -> Path:
    """Return where the note of a unit lies."""
    return sweep / "nodes" / f"{unit}.json"


def set_aside_unreachable(sweep: Path, usable: Collection[str]) -> list[str]:
    """Set the trials of begun units aside whose node cannot be had any more, so that the units are measured anew.

    Args:
        sweep: its folder; a sweep that was not begun has none.
        usable: names of the nodes that can be had.

    Returns:
        The units.
    """
    path, found = sweep / "plan.json", []
    plan = json.loads(path.read_text()) if path.exists() else {"jobs": [], "trials": []}
    for unit, trials in _planned_units(plan).items():
        note = noted_node(sweep, unit)
        files = [trial_file(sweep, trial) for trial in trials]
        done = [file for file in files if file.exists()]
        if note is not None and note["node"] not in usable and len(done) < len(files):
            for file in done:
                file.rename(file.with_name(f"trial-{note['node']}.json"))
            note_file(sweep, unit).unlink()
            found.append(unit)
    return found


def note_lost(sweep: Path, trial: str, error: str, log: str | None) -> None:
    """Note that a trial was lost: a row with a reason, which the next run of the sweep measures nevertheless."""
    path = lost_file(sweep, trial)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, json.dumps({"status": "lost", "error": error, "log": log}))


def _planned_units(plan: dict[str, Any]) -> dict[str, list[str]]:
    baselines = {job["job"]: job["baseline"] for job in plan["jobs"]}
    units: dict[str, list[str]] = {}
    for trial in plan["trials"]:
        name = unit_name(baselines[trial["job"]] or trial["job"], trial["round"])
        units.setdefault(name, []).append(f"{trial['job']}-r{trial['round']}-{trial['role']}")
    return units
