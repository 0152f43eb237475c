"""What more threads bring: each job against the one that differs from it in nothing but having one thread."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from runner.results.statistics import compare

Row = Mapping[str, Any]

_SAME = ("model", "technique", "task", "workload", "batch_size", "padding", "max_length", "bucket", "isolation", "cpu")


def thread_scaling(
    jobs: Sequence[Row], trials_by_job: Mapping[str, Sequence[Row]]
) -> dict[str, dict[str, float | None]]:
    """Return the columns thread_speedup, …_low, …_high and thread_efficiency of every job with several threads.

    The speedup is the ratio of the geometric means, over counted rounds, of the trials' median latencies: one thread
    ÷ these. Its interval is Welch's, since the two run in boxes of their own and take no turns with each other. A job
    is left out if there is no one-thread job like it, more than one, or one of the two has no counted trial.

    Args:
        jobs: rows of the summary.
        trials_by_job: rows of results by the key of their job.
    """
    singles: dict[tuple[Any, ...], list[Row]] = {}
    for job in jobs:
        if job["threads"] == 1:
            singles.setdefault(_identity(job), []).append(job)
    scaled: dict[str, dict[str, float | None]] = {}
    for job in jobs:
        alike = singles.get(_identity(job), [])
        if job["threads"] > 1 and len(alike) == 1:
            columns = _columns(trials_by_job[alike[0]["job"]], trials_by_job[job["job"]], job["threads"])
            scaled |= {job["job"]: columns} if columns else {}
    return scaled


def _identity(job: Row) -> tuple[Any, ...]:
    return tuple(job[name] for name in _SAME)


def _columns(single: Sequence[Row], several: Sequence[Row], threads: int) -> dict[str, float | None]:
    estimate = compare(_log_latencies(single), _log_latencies(several))
    if estimate is None:
        return {}
    return {
        "thread_speedup": estimate.ratio,
        "thread_speedup_low": estimate.low,
        "thread_speedup_high": estimate.high,
        "thread_efficiency": estimate.ratio / threads,
    }


def _log_latencies(trials: Sequence[Row]) -> list[float]:
    return [math.log(trial["latency_p50_seconds"]) for trial in trials if trial["status"] == "ok" and trial["included"]]
