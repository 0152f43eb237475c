"""Run the search for a configuration: one sweep after the other in one folder, until the budget is spent."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runner.console import minutes, say
from runner.results.collect import collect
from runner.results.format import pluralize
from runner.results.records.search import read_state
from runner.results.tables import Tables
from runner.store.sweep_folder import SweepFolder
from runner.sweep.search.budget import collected, run_sweep
from runner.sweep.serving.configuration import Wanted
from runner.sweep.serving.found import found
from runner.sweep.serving.measured import Measured, measured
from runner.sweep.serving.steps import ROUNDS, Proposals, Step

_TRIAL_SECONDS = 90.0  # the expected time of a trial under an open load, until the first one has run
_MEASURE = ("measure=quick", "measure.reruns=0", "measure.peaks=false")


def find_configuration(folder: Path, job: Sequence[str], wanted: Wanted, budget_seconds: float) -> Tables:
    """Search for the configuration that holds the most requests, and collect the results.

    The same call continues an earlier search: the tables in the folder alone determine the next step. The budget holds
    for all calls with one folder together, and includes the preparation.

    Args:
        folder: the folder of the sweeps.
        job: Hydra's overrides for a job without its technique, threads and load.
        wanted: the goal of the search.
        budget_seconds: the budget of wall time.

    Raises:
        UserError: if a sweep cannot start, or if the budget ended before anything was measured.
        KeyboardInterrupt: if it was stopped from outside. What was measured stays in the folder.
    """
    state = read_state(SweepFolder(folder))
    proposals, trial_seconds, last = Proposals(wanted), _TRIAL_SECONDS, None
    known = measured(collect(folder)) if state.has_trials else Measured()
    while True:
        left = budget_seconds - state.spent_seconds
        step = proposals.next_step(known, can_explore=left > trial_seconds * (1 + 2 * (ROUNDS - 1)))
        if step is None or step == last:  # a step that changed nothing would change nothing again
            break
        if left <= 0:
            say("The time budget is spent. Give more with --budget … to go on.")
            break
        say(f"{step.title} {minutes(left)} left.")
        began = time.monotonic()
        ran = run_sweep(folder, [*job, *_overrides(step, wanted)], left, state)
        before, known = known, measured(ran.tables)
        say(f"  {pluralize(ran.trials, 'trial')}. {found(before, known)}")
        if not ran.is_complete:
            say("The time budget is spent in the middle of this step.")
            break
        if step.is_open and step.rounds == 1:
            trial_seconds = (time.monotonic() - began) / len(step.blocks)
        last = step
    return collected(folder, state)


def _overrides(step: Step, wanted: Wanted) -> list[str]:
    """Return the overrides of a step's sweep."""
    percentile, milliseconds = wanted.objective.percentile, 1000 * wanted.objective.seconds
    load = ["load=open", f"load.slo.percentile={percentile:g}", f"load.slo.milliseconds={milliseconds:g}"]
    return [
        *_MEASURE,
        f"measure.rounds={step.rounds}",
        *(load if step.is_open else []),
        *([] if step.has_baseline else ["grid.baseline=null"]),  # the capacity of a slow baseline takes minutes
        f"grid.union=[{','.join(map(_block, step.blocks))}]",
    ]


def _block(block: dict[str, Any]) -> str:
    return "{" + ",".join(f"{key}:{value}" for key, value in block.items()) + "}"
