"""Run the sweeps of a search in one folder within a budget of wall time, and collect what they measured."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.config.overrides import quoted
from runner.errors import UserError
from runner.report.write import collect_and_report
from runner.results.records.search import State
from runner.results.tables import Tables
from runner.store.sweep_folder import SweepFolder
from runner.sweep.search.state import gather, write_state
from runner.sweep.timed import run_within


@dataclass(frozen=True)
class Ran:
    """The result of a sweep.

    Attributes:
        is_complete: whether the sweep ran all its trials within the time.
        trials: the number of trials that the sweep has added.
        tables: the tables of all sweeps in the folder.
    """

    is_complete: bool
    trials: int
    tables: Tables


def run_sweep(folder: Path, arguments: Sequence[str], seconds: float, state: State) -> Ran:
    """Run one sweep within a time limit, and collect the results of all sweeps in the folder.

    Args:
        folder: the folder of the sweep.
        arguments: Hydra's arguments without the folder.
        seconds: the limit of wall time.
        state: the state of the search, to which the time and the trials are added.

    Raises:
        UserError: if the sweep ended with an error, or if the time ended before anything was measured.
        KeyboardInterrupt: if it was stopped from outside. What was measured stays in the folder.
    """
    before, began = _count(state), time.monotonic()
    try:
        code = run_within(seconds, [*arguments, "hydra.sweeper.collect=false", f"hydra.sweep.dir={quoted(folder)}"])
    except KeyboardInterrupt:
        _keep(folder, state, time.monotonic() - began)
        if state.has_trials:
            collect_and_report(folder)
        raise
    _keep(folder, state, time.monotonic() - began)
    if code == 2:
        if state.has_trials:
            collect_and_report(folder)
        raise UserError("A sweep of the search could not run. The lines above give the reason.")
    return Ran(code is not None, _count(state) - before, collected(folder, state))


def _keep(folder: Path, state: State, seconds: float) -> None:
    """Add a sweep and the time that it took to the state of the search, and write the state."""
    state.spent_seconds += seconds
    gather(SweepFolder(folder), state)
    if state.plan:
        write_state(SweepFolder(folder), state)


def _count(state: State) -> int:
    return len(state.plan.trials) if state.plan else 0


def collected(folder: Path, state: State) -> Tables:
    """Collect what was measured, and write the report.

    Raises:
        UserError: if nothing was measured.
    """
    if not state.has_trials:
        raise UserError("The time budget ended before anything was measured. Give more with --budget …")
    return collect_and_report(folder)
