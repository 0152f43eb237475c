"""Search by successive halving over the catalogue, with Pareto dominance instead of the better half.

All candidates get a few rounds. The candidates that may still be the best get the same number again, and so on
(K. Jamieson, A. Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", AISTATS 2016).
With several objectives there is no better half. Therefore a candidate survives if no other candidate dominates it, with
regard to the intervals (R. Schmucker et al., "Multi-objective asynchronous successive halving", 2021). Each rung is an
ordinary sweep in the same folder with more rounds and fewer techniques. Its tables contain the results of all rungs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runner.console import minutes, say
from runner.results.format import listed, pluralize
from runner.results.records.search import Rung, read_state
from runner.results.tables import Tables
from runner.store.sweep_folder import SweepFolder
from runner.sweep.search.budget import collected, run_sweep
from runner.sweep.search.pareto import candidates, front
from runner.sweep.search.state import write_state

ROUNDS = (3, 6, 12)  # the number of rounds after each rung, including those of earlier rungs


def search(folder: Path, overrides: Sequence[str], techniques: list[str], budget_seconds: float) -> Tables:
    """Run one rung after the other until the budget is spent, and collect the results.

    The same call continues an earlier search. The budget holds for all calls with one folder together, and includes the
    preparation. If it ends in the middle of a rung, the results so far count.

    Args:
        folder: the folder of the sweep.
        overrides: Hydra's overrides for the job without its technique.
        techniques: the names of the candidates.
        budget_seconds: the budget of wall time.

    Raises:
        UserError: if the sweep cannot start.
        KeyboardInterrupt: if the search was stopped from outside. The results so far stay in the folder.
    """
    sweep = SweepFolder(folder)
    state = read_state(sweep)
    if state.rungs and state.rungs[0].techniques != techniques:
        state.rungs = []  # other candidates start with the first rung, which runs only the missing trials
    survivors = state.rungs[-1].survivors if state.rungs else techniques
    for rounds in ROUNDS[len(state.rungs) :]:
        left = budget_seconds - state.spent_seconds
        if left <= 0:
            say("The time budget is spent. Give more with --budget … to continue the search.")
            break
        if not survivors:
            break
        share = f"{len(survivors)} of {pluralize(len(techniques), 'technique')}"
        say(f"Rung of {pluralize(rounds, 'round')}: {share}; {minutes(left)} left.")
        arguments = [*overrides, f"technique={','.join(survivors)}", f"measure.rounds={rounds}"]
        ran = run_sweep(folder, arguments, left, state)
        if not ran.is_complete:
            say(f"  {pluralize(ran.trials, 'trial')}. The time budget is spent in the middle of this rung.")
            break
        state.rungs.append(Rung(rounds, survivors, _survivors(ran.tables, survivors)))
        survivors = state.rungs[-1].survivors
        say(f"  {pluralize(ran.trials, 'trial')}. {_outcome(survivors)}")
        write_state(sweep, state)
    return collected(folder, state)


def _outcome(survivors: Sequence[str]) -> str:
    if not survivors:
        return "No technique has a job without a failure."
    return f"No other dominates {listed(survivors)}."


def _survivors(tables: Tables, techniques: Sequence[str]) -> list[str]:
    """Return the techniques that have a job on the Pareto front."""
    best = front(candidates(tables))
    names = {candidate.row["technique"] for candidate in best}
    return [technique for technique in techniques if technique in names]
