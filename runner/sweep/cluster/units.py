"""What a node gets at once: one round of the jobs that share a baseline, since ratios hold only within a node.

So does a slot of this machine (runner/sweep/slots).

Beside the trials, `nodes/UNIT.json` notes which node measured a unit. A unit that was begun goes on there; if that node
is gone, the unit is measured anew, whole, on another, and what the first one measured is set aside.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from runner.results.records.plan import TrialSpec, read_plan
from runner.store.sweep_folder import SweepFolder

NODE = "PINBOX_NODE"  # set by us on a node; Slurm's own variable is also there when a sweep runs inside an allocation


@dataclass(frozen=True)
class Unit:
    """Trials for one node, or one slot of this machine.

    Attributes:
        name: see `TrialSpec.unit`.
        trials: in the order in which they run.
    """

    name: str
    trials: list[TrialSpec]


def units_of(trials: Iterable[TrialSpec]) -> list[Unit]:
    """Group trials into units; both keep their order."""
    units: dict[str, list[TrialSpec]] = {}
    for trial in trials:
        units.setdefault(trial.unit, []).append(trial)
    return [Unit(name, of_unit) for name, of_unit in units.items()]


def this_node() -> str | None:
    """Return the name of the cluster's node that this process measures on; None outside a cluster."""
    return os.environ.get(NODE)


def note_node(sweep: SweepFolder, unit: str, environment: dict[str, Any]) -> None:
    """Note that this node measures a unit."""
    sweep.write(sweep.node(unit), json.dumps({"node": this_node(), **environment}, indent=1))


def noted_node(sweep: SweepFolder, unit: str) -> dict[str, Any] | None:
    """Return what was noted of the node that measured a unit; None if none began it."""
    path = sweep.node(unit)
    if not path.exists():
        return None
    note: dict[str, Any] = json.loads(path.read_text())
    return note


def set_aside_unreachable(sweep: SweepFolder, usable: Collection[str]) -> list[str]:
    """Set the trials of begun units aside whose node cannot be had any more, so that the units are measured anew.

    Args:
        sweep: its folder; a sweep that was not begun has none.
        usable: names of the nodes that can be had.

    Returns:
        The units.
    """
    set_aside = []
    for unit in units_of(read_plan(sweep).trials) if sweep.plan.exists() else ():
        note = noted_node(sweep, unit.name)
        files = [sweep.trial(trial.name) for trial in unit.trials]
        done = [file for file in files if file.exists()]
        if note is not None and note["node"] not in usable and len(done) < len(files):
            for file in done:
                file.rename(file.with_name(f"trial-{note['node']}.json"))
            sweep.node(unit.name).unlink()
            set_aside.append(unit.name)
    return set_aside


def note_lost(sweep: SweepFolder, trial: str, error: str, log: str | None) -> None:
    """Note that a trial was lost: a row with a reason, which the next run of the sweep measures nevertheless."""
    sweep.write(sweep.lost(trial), json.dumps({"status": "lost", "error": error, "log": log}))
