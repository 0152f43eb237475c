"""The speedup from more threads: each job is compared with the job that differs only in having one thread."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from runner.results.records.summary import JobSummary, ThreadScaling
from runner.results.statistics import compare
from runner.results.tables import Row


def thread_scaling(jobs: Sequence[JobSummary], trials_by_job: Mapping[str, Sequence[Row]]) -> dict[str, ThreadScaling]:
    """Return the speedup from more threads, by the key of each job with several threads.

    The speedup is the geometric mean, over the rounds that are included, of the median latencies with one thread,
    divided by that with several. Its interval is Welch's, since the two run in boxes of their own and do not take
    turns. A job is left out if there is no one-thread job like it, if there are several, or if one of the two
    has no trial that is included.

    Args:
        jobs: the summaries of all jobs.
        trials_by_job: rows of results by the key of their job.
    """
    singles: dict[tuple[Any, ...], list[JobSummary]] = {}
    for job in jobs:
        if job.threads == 1:
            singles.setdefault(_conditions(job), []).append(job)
    scaled: dict[str, ThreadScaling] = {}
    for job in jobs:
        alike = singles.get(_conditions(job), [])
        if (job.threads or 0) > 1 and len(alike) == 1:
            scaling = _compare(trials_by_job[str(alike[0].job)], trials_by_job[str(job.job)], job.threads or 1)
            scaled |= {str(job.job): scaling} if scaling else {}
    return scaled


def _conditions(job: JobSummary) -> tuple[Any, ...]:
    """Return all settings except the threads: two jobs are compared only if these are equal."""
    shape = (job.batch_size, job.padding, job.max_length, job.bucket)
    load = (job.load, job.workers, job.max_batch_size, job.max_wait_seconds, job.slo_percentile, job.slo_seconds)
    return (job.model, job.technique, job.task, job.workload, *shape, job.isolation, job.quota_cpus, *load, job.cpu)


def _compare(single: Sequence[Row], several: Sequence[Row], threads: int) -> ThreadScaling | None:
    estimate = compare(_log_latencies(single), _log_latencies(several))
    if estimate is None:
        return None
    return ThreadScaling(
        thread_speedup=estimate.ratio,
        thread_speedup_low=estimate.low,
        thread_speedup_high=estimate.high,
        thread_efficiency=estimate.ratio / threads,
    )


def _log_latencies(trials: Sequence[Row]) -> list[float]:
    return [math.log(trial["latency_p50_seconds"]) for trial in trials if trial["status"] == "ok" and trial["included"]]
