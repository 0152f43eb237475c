"""What a search has done so far, in its folder: the plan of all rungs as one, and search.json."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
from msgspec.structs import replace

from runner.results.records.plan import PlanRecord, read_plan, write_plan
from runner.store.sweep_folder import SweepFolder


@dataclass(frozen=True)
class Rung:
    """A rung that was run to its end."""

    rounds: int
    techniques: list[str]
    survivors: list[str]


@dataclass
class State:
    """What search.json holds.

    Attributes:
        spent_seconds: of the budget, by all calls so far.
        rungs: those that were run to their end.
        plan: of all rungs; what each trial was planned as in the rung that ran it.
    """

    spent_seconds: float = 0.0
    rungs: list[Rung] = field(default_factory=list)
    plan: PlanRecord | None = None


def read_state(folder: SweepFolder) -> State:
    """Return what was done before in this folder."""
    if not folder.search.exists():
        return State()
    return msgspec.json.decode(folder.search.read_bytes(), type=State)


def write_state(folder: SweepFolder, state: State) -> None:
    """Write search.json."""
    folder.write(folder.search, msgspec.json.format(msgspec.json.encode(state), indent=1).decode())


def gather(folder: SweepFolder, state: State) -> None:
    """Put the plan of the rung that ran last together with those before it, so that collecting sees every trial."""
    if not folder.plan.exists():
        return
    plan = merged(state.plan, read_plan(folder))
    trials = [trial for trial in plan.trials if folder.trial(trial.name).exists()]
    begun = {trial.job for trial in trials}  # the time ended before the others
    state.plan = replace(plan, trials=trials, jobs=[job for job in plan.jobs if job.job in begun])
    write_plan(folder, state.plan)


def merged(before: PlanRecord | None, after: PlanRecord) -> PlanRecord:
    """Return the later plan with the jobs and trials of both; a trial stays as the first plan placed it."""
    if before is None:
        return after
    jobs = {job.job: job for plan in (after, before) for job in plan.jobs}
    trials = {trial.name: trial for plan in (after, before) for trial in plan.trials}
    in_order = sorted(trials.values(), key=lambda trial: (trial.round, trial.position))
    return replace(after, jobs=list(jobs.values()), trials=in_order)
