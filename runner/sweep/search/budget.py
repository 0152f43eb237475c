"""Run the sweeps of a search in one folder within a budget of wall time, and collect what they measured."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from runner.config.overrides import quoted
from runner.errors import UserError
from runner.report.write import collect_and_report
from runner.results.records.search import State
from runner.results.tables import Tables
from runner.store.sweep_folder import SweepFolder
from runner.sweep.search.state import gather, write_state
from runner.sweep.timed import run_within


def run_sweep(folder: Path, arguments: Sequence[str], seconds: float, state: State) -> bool:
    """Run one sweep for at most so long, and return whether it was completed.

    Args:
        folder: the folder of the sweep.
        arguments: Hydra's, without the folder.
        seconds: the wall time.
        state: the state of the search, to which the time and the trials are added.

    Raises:
        UserError: if the sweep could not run, and none before it did.
        KeyboardInterrupt: if it was stopped from outside. What was measured stays in the folder.
    """
    began, sweep = time.monotonic(), SweepFolder(folder)
    try:
        code = run_within(seconds, [*arguments, f"hydra.sweep.dir={quoted(folder)}"])
    finally:
        state.spent_seconds += time.monotonic() - began
        gather(sweep, state)
        if state.plan:
            write_state(sweep, state)
    if code == 2 and not state.has_trials:
        raise UserError("The sweep could not run. The lines above give the reason.")
    return code is not None


def collected(folder: Path, state: State) -> Tables:
    """Collect what was measured, and write the report.

    Raises:
        UserError: if nothing was measured.
    """
    if not state.has_trials:
        raise UserError("The time budget ended before anything was measured. Give more with --budget …")
    return collect_and_report(folder)
