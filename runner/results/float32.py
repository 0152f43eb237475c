"""Compare jobs with the fastest one that computes the baseline's predictions in float32.

A baseline is often the slowest way to run a model, so a variant owes part of its speedup to the engine alone. This
comparison shows the rest of the speedup, which comes from quantizing, pruning or distilling.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from runner.results.records.summary import AgainstFloat32, JobSummary
from runner.results.rounds import log_ratios
from runner.results.statistics import estimate_ratio
from runner.results.tables import Row

_SAME_VECTORS = 0.9999  # the least cosine of vectors that differ by rounding alone


def against_float32(sharing: Sequence[JobSummary], included: Mapping[str, Sequence[Row]]) -> dict[str, AgainstFloat32]:
    """Return the comparison of each job that has a latency ratio, by its key.

    The other job is the one with the lowest latency ratio, so its own speed is slightly overstated if several are about
    as fast. Each round gives one ratio of both jobs, and the interval is Student's t over their logarithms.

    Args:
        sharing: the summaries of the jobs that share a baseline, their ratios and predictions included.
        included: their ok trials in the rounds that are included, by the key of their job.
    """
    exact = [s for s in sharing if s.latency_ratio and _is_exact(s) and _in_float32(included[str(s.job)])]
    if not exact:
        return {}
    fastest = min(exact, key=lambda summary: summary.latency_ratio or math.inf)
    others = log_ratios(included[str(fastest.job)], fastest.job == fastest.baseline_job)
    found = {}
    for summary in sharing:
        if summary.latency_ratio and fastest.latency_ratio:
            own = log_ratios(included[str(summary.job)], summary.job == summary.baseline_job)
            paired = estimate_ratio([own[number] - others[number] for number in own.keys() & others.keys()])
            found[str(summary.job)] = AgainstFloat32(
                float32_job=fastest.job,
                float32_ratio=summary.latency_ratio / fastest.latency_ratio,
                float32_ratio_low=paired.low if paired and summary is not fastest else None,
                float32_ratio_high=paired.high if paired and summary is not fastest else None,
            )
    return found


def _is_exact(summary: JobSummary) -> bool:
    """Return whether a job predicts what its baseline predicts."""
    same_vectors = summary.cosine_least is not None and summary.cosine_least >= _SAME_VECTORS
    return summary.job == summary.baseline_job or summary.changed_predictions == 0 or same_vectors


def _in_float32(trials: Sequence[Row]) -> bool:
    return bool(trials) and all(trial["precision"] == "float32" for trial in trials)
