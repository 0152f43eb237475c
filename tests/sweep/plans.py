"""Made-up plans."""

from __future__ import annotations

from collections.abc import Sequence

from runner.results.records.plan import JobRecord, PlanRecord, TrialSpec
from runner.store.sweep_folder import SCHEMA


def a_plan(trials: Sequence[TrialSpec], rounds: int = 1) -> PlanRecord:
    """Return a plan of some trials and of their jobs."""
    baselines = {trial.job: trial.baseline for trial in trials}
    return PlanRecord(
        schema=SCHEMA,
        sweep="made-up",
        overrides=[],
        grid={},
        seed=0,
        isolation="process",
        measure={"rounds": rounds},
        jobs=[a_job_record(job, baseline) for job, baseline in baselines.items()],
        trials=list(trials),
        environment={},
    )


def a_job_record(job: str, baseline: str | None = None) -> JobRecord:
    """Return what a plan says of a job."""
    return JobRecord(
        job=job,
        model="m",
        technique=job,
        task="t",
        workload="w",
        family="m",
        weights="random",
        threads=1,
        isolation="process",
        baseline=baseline,
    )
