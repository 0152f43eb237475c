"""Write the state of a search into its folder, with one plan for all of its sweeps."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from runner.results.records.plan import PlanRecord, read_plan, write_plan
from runner.results.records.search import State
from runner.store.sweep_folder import SweepFolder


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
