"""Group trials into units, each of which one node measures: one round of the jobs that share a baseline.

A unit is not divided, because ratios hold only within a node. A slot of this machine measures units, too
(runner/sweep/slots).

`nodes/UNIT.json` records which node measures a unit. A unit that a node has begun continues there. If that node is
gone, its results are renamed, and another node measures the whole unit again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from runner.results.records.plan import TrialSpec, read_plan
from runner.store.sweep_folder import SweepFolder

NODE = "PINBOX_NODE"  # Slurm's own variable is also set if a whole sweep runs inside an allocation


@dataclass(frozen=True)
class Unit:
    """The trials that one node, or one slot of this machine, measures together.

    Attributes:
        name: the name of the unit; see `TrialSpec.unit`.
        trials: the trials in the order in which they run.
    """

    name: str
    trials: list[TrialSpec]


def units_of(trials: Iterable[TrialSpec]) -> list[Unit]:
    """Group trials into units. Units and trials keep their order."""
    units: dict[str, list[TrialSpec]] = {}
    for trial in trials:
        units.setdefault(trial.unit, []).append(trial)
    return [Unit(name, unit_trials) for name, unit_trials in units.items()]


def this_node() -> str | None:
    """Return the name of the cluster's node on which this process measures, or None outside a cluster."""
    return os.environ.get(NODE)


def note_node(sweep: SweepFolder, unit: str, environment: dict[str, Any]) -> None:
    """Record that this node measures a unit."""
    sweep.write(sweep.node(unit), json.dumps({"node": this_node(), **environment}, indent=1))


def noted_node(sweep: SweepFolder, unit: str) -> dict[str, Any] | None:
    """Return the record of the node that measures a unit, or None if no node has begun it."""
    path = sweep.node(unit)
    if not path.exists():
        return None
    note: dict[str, Any] = json.loads(path.read_text())
    return note


def set_aside_unreachable(sweep: SweepFolder, usable: Collection[str]) -> list[str]:
    """Rename the results of unfinished units whose node is gone, so that another node measures the units again.

    Args:
        sweep: the sweep's folder, which does not exist if the sweep has not begun.
        usable: the names of the nodes that can run jobs.

    Returns:
        The names of the units.
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
    """Record that a trial was lost. Its row shows the reason, and the next run of the sweep measures the trial."""
    sweep.write(sweep.lost(trial), json.dumps({"status": "lost", "error": error, "log": log}))
