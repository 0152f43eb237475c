"""Read and write the state of a search in its folder: search.json, and one plan for all rungs."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
from msgspec.structs import replace

from runner.results.records.plan import PlanRecord, read_plan, write_plan
from runner.store.sweep_folder import SweepFolder


@dataclass(frozen=True)
class Rung:
    """A completed rung."""

    rounds: int
    techniques: list[str]
    survivors: list[str]


@dataclass
class State:
    """The content of search.json.

    Attributes:
        spent_seconds: the part of the budget that all calls so far have spent.
        rungs: the completed rungs.
        plan: the plan of all rungs. Each trial stays as the rung that ran it has planned it.
    """

    spent_seconds: float = 0.0
    rungs: list[Rung] = field(default_factory=list)
    plan: PlanRecord | None = None


def read_state(folder: SweepFolder) -> State:
    """Return the state of the search in a folder, which is empty if there is no search.json."""
    if not folder.search.exists():
        return State()
    return msgspec.json.decode(folder.search.read_bytes(), type=State)


def write_state(folder: SweepFolder, state: State) -> None:
    """Write search.json."""
    folder.write(folder.search, msgspec.json.format(msgspec.json.encode(state), indent=1).decode())


def gather(folder: SweepFolder, state: State) -> None:
    """Merge the plan of the last rung with the plan of the earlier ones, so that collecting sees every trial."""
    if not folder.plan.exists():
        return
    plan = merged(state.plan, read_plan(folder))
    trials = [trial for trial in plan.trials if folder.trial(trial.name).exists()]
    begun = {trial.job for trial in trials}  # the budget may have ended before the other jobs began
    state.plan = replace(plan, trials=trials, jobs=[job for job in plan.jobs if job.job in begun])
    write_plan(folder, state.plan)


def merged(before: PlanRecord | None, after: PlanRecord) -> PlanRecord:
    """Return the later plan with the jobs and trials of both plans. A trial of the earlier plan keeps its place."""
    if before is None:
        return after
    jobs = {job.job: job for plan in (after, before) for job in plan.jobs}
    trials = {trial.name: trial for plan in (after, before) for trial in plan.trials}
    in_order = sorted(trials.values(), key=lambda trial: (trial.round, trial.position))
    return replace(after, jobs=list(jobs.values()), trials=in_order)
