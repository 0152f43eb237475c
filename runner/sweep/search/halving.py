"""Successive halving over the catalogue, with Pareto dominance in the place of the better half.

All candidates get a few rounds; those that may still be best get as many again, and so on (K. Jamieson, A. Talwalkar,
"Non-stochastic best arm identification and hyperparameter optimization", AISTATS 2016). With several objectives there
is no better half, so who goes on is whom no other dominates, intervals considered (as in the multi-objective form:
R. Schmucker et al., "Multi-objective asynchronous successive halving", 2021). Each rung is an ordinary sweep of the
same folder with more rounds and fewer techniques: what was measured is kept, and is in every table.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from runner.config.overrides import quoted
from runner.console import say
from runner.errors import UserError
from runner.report.write import collect_and_report
from runner.results.format import pluralize
from runner.results.tables import Tables
from runner.store.sweep_folder import SweepFolder
from runner.sweep.search.pareto import candidates, front
from runner.sweep.search.state import Rung, State, gather, read_state, write_state
from runner.sweep.timed import run_within

ROUNDS = (3, 6, 12)  # of each rung, all in all


def search(folder: Path, overrides: Sequence[str], techniques: list[str], budget_seconds: float) -> Tables:
    """Run rung after rung until the budget is spent, and collect; the same call again goes on.

    The budget holds for all calls on one folder together, preparing included. When it ends in the middle of a rung,
    what was measured counts.

    Args:
        folder: of the sweep.
        overrides: Hydra's, of the job without its technique.
        techniques: the candidates.
        budget_seconds: wall time.

    Raises:
        UserError: if the sweep cannot start.
        KeyboardInterrupt: if it was stopped from outside; what was measured is kept.
    """
    sweep = SweepFolder(folder)
    state = read_state(sweep)
    if state.rungs and state.rungs[0].techniques != techniques:
        state.rungs = []  # other candidates: from the first rung on, where only what is new has to run
    alive = state.rungs[-1].survivors if state.rungs else techniques
    for rounds in ROUNDS[len(state.rungs) :]:
        left = budget_seconds - state.spent_seconds
        if left <= 0:
            say("The time budget is spent. --budget … with more goes on from here.")
            break
        if not alive:
            break
        of = f"{len(alive)} of {pluralize(len(techniques), 'technique')}"
        say(f"Rung of {pluralize(rounds, 'round')}: {of}, {pluralize(round(left / 60), 'minute')} left.")
        complete = _run_rung(folder, overrides, alive, rounds, left, state)
        tables = _collected(folder, state)
        if not complete:
            say("The time budget is spent in the middle of a rung.")
            break
        survivors = _survivors(tables, alive)
        state.rungs.append(Rung(rounds, alive, survivors))
        alive = survivors
        write_state(sweep, state)
    return _collected(folder, state)


def _run_rung(
    folder: Path, overrides: Sequence[str], techniques: Sequence[str], rounds: int, seconds: float, state: State
) -> bool:
    """Run one sweep for at most so long; return whether it came to its end."""
    arguments = [*overrides, f"technique={','.join(techniques)}", f"measure.rounds={rounds}"]
    began = time.monotonic()
    try:
        code = run_within(seconds, [*arguments, f"hydra.sweep.dir={quoted(folder)}"])
    finally:
        state.spent_seconds += time.monotonic() - began
        gather(SweepFolder(folder), state)
        if state.plan:
            write_state(SweepFolder(folder), state)
    if code == 2 and not (state.plan and state.plan.trials):
        raise UserError("The sweep could not run; it says why above.")
    return code is not None


def _collected(folder: Path, state: State) -> Tables:
    if not state.plan or not state.plan.trials:
        raise UserError("The time budget ended before anything was measured. Give more with --budget …")
    return collect_and_report(folder)


def _survivors(tables: Tables, alive: Sequence[str]) -> list[str]:
    """Return the techniques that have a job on the front."""
    best = front(candidates(tables.summary.to_pylist(), tables.results.to_pylist()))
    names = {one.row["technique"] for one in best}
    return [technique for technique in alive if technique in names]
