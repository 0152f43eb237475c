"""The summary: one row for each job, with medians over its trials and a comparison with its baseline."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter, itemgetter
from statistics import median
from typing import Any, TypeVar

import pyarrow as pa

from runner.results.float32 import against_float32
from runner.results.prediction_metrics import prediction_figures
from runner.results.predictions import Evaluation
from runner.results.quality import adjusted, qualities
from runner.results.records.job import ArtifactFacts
from runner.results.records.plan import Role
from runner.results.records.summary import JobSummary
from runner.results.records.trial import MEASURED, STATUSES
from runner.results.rounds import a_a_log_ratios, are_disturbed
from runner.results.scaling import thread_scaling
from runner.results.schema import SUMMARY
from runner.results.slots import cost_of_slots
from runner.results.statistics import (
    TAILS,
    Estimate,
    estimate_ratio,
    noise_floor,
    verdict,
)
from runner.results.tables import Row, Tables, rows_by_job

K = TypeVar("K")
V = TypeVar("V")

#: The columns that comparisons of jobs need, for all trials at once.
_TO_COMPARE = ["job", "round", "role", "status", "included", "latency_ratio", "partner_ratio", "latency_p50_seconds"]
_OTHER_RATIOS = [*(f"latency_p{tail}_ratio" for tail in TAILS), "engine_ratio"]
_TO_COMPARE += ["precision", "disturbance", "beside", *_OTHER_RATIOS, "capacity_per_second", "capacity_ratio"]
#: The columns that are alike in all trials of a job, or whose first value is enough.
_SETTINGS = ["sweep", "weights", "batch_size", "padding", "max_length", "bucket"]
_SETTINGS += [*(field.name for field in fields(ArtifactFacts)), "capacity_reason"]
_OF_TRIALS = [*_SETTINGS, "round", "role", "status", "error", "log", "included", *MEASURED]


def summarize(
    jobs: Sequence[Row], planned: Mapping[str, int], results: Any, evaluations: Sequence[Evaluation], margin: float
) -> Any:
    """Build the summary table: one row for each job of the plan, in its order.

    Args:
        jobs: the jobs of the plan.
        planned: how many trials of each job the plan has.
        results: the table of trials, evaluated.
        evaluations: the predictions of the artifacts.
        margin: the margin within which qualities are equivalent.
    """
    summaries = {job["job"]: _planned(job) for job in jobs}
    not_run = dict(summaries)
    for key, trials in rows_by_job(results.select(["job", *_OF_TRIALS])):
        _add_medians(not_run.pop(key), planned.get(key, 0), trials)
    for key, summary in not_run.items():
        _add_medians(summary, planned.get(key, 0), [])
    _add_predictions(summaries, evaluations)
    for summary in summaries.values():
        _add_ratios(summary, summaries.get(str(summary.baseline_job)))
    trials_of = _by_key(results.select(_TO_COMPARE).to_pylist(), itemgetter("job"))
    for baseline_job, sharing in _by_key(summaries.values(), attrgetter("baseline_job")).items():
        _add_latency_ratios(baseline_job, sharing, trials_of)
        _add_quality(sharing, margin)
        included = {str(summary.job): _included(trials_of[str(summary.job)]) for summary in sharing}
        for key, comparison in against_float32(sharing, included).items():
            summaries[key].add(comparison)
    for key, scaling in thread_scaling(list(summaries.values()), trials_of).items():
        summaries[key].add(scaling)
    return pa.Table.from_pylist(list(map(vars, summaries.values())), schema=SUMMARY)


def outcome(tables: Tables) -> int:
    """Return the exit code of a sweep: 0 all planned trials ok, 1 some failed or missing, 2 none ok."""
    ok = sum(tables.summary["trials_ok"].to_pylist())
    if ok == 0:
        return 2
    return 0 if ok == sum(tables.summary["trials_planned"].to_pylist()) else 1


def _planned(job: Row) -> JobSummary:
    """Return the summary of a job with what the plan says about it."""
    known = {field.name: job[field.name] for field in fields(JobSummary) if field.name in job}
    return JobSummary(**known | {"baseline_job": job.get("baseline")})


def _add_medians(summary: JobSummary, planned: int, trials: Sequence[Row]) -> None:
    """Add settings, status and medians; medians are over the ok trials of the rounds that are included."""
    included = _included(trials)
    failed = next((trial for trial in trials if trial["status"] != "ok"), None)
    statuses = Counter(trial["status"] for trial in trials)
    summary.status = failed["status"] if failed else "ok" if len(trials) == planned and trials else "missing"
    summary.error = failed["error"] if failed else None
    summary.log = failed["log"] if failed else None
    summary.trials_planned = planned
    summary.trials_missing = planned - len(trials)
    summary.rounds_run = len({trial["round"] for trial in trials})
    summary.rounds_included = len({trial["round"] for trial in trials if trial["included"]})
    for status in STATUSES:
        setattr(summary, f"trials_{status.replace('-', '_')}", statuses[status])
    for name in _SETTINGS:
        setattr(summary, name, next((trial[name] for trial in trials if trial[name] is not None), None))
    for name in MEASURED:
        setattr(summary, name, _median(trial[name] for trial in included))
    cold = [trial for trial in trials if trial["role"] == Role.cold_start.value and trial["status"] == "ok"]
    summary.cold_start_seconds = _median(trial["start_seconds"] for trial in cold)
    summary.cold_start_read_bytes = _median(trial["start_read_bytes"] for trial in cold)


def _add_predictions(summaries: Mapping[str, JobSummary], evaluations: Sequence[Evaluation]) -> None:
    evaluation_of = {job: evaluation for evaluation in evaluations for job in evaluation.jobs}
    pairs = [
        (evaluation_of.get(key), evaluation_of.get(str(summary.baseline_job))) for key, summary in summaries.items()
    ]
    for summary, figures in zip(summaries.values(), prediction_figures(pairs), strict=True):
        summary.add(figures)


def _add_ratios(summary: JobSummary, baseline: JobSummary | None) -> None:
    """Add the ratios that need no test: of sizes, memory and phases."""
    if baseline is not None:
        summary.disk_ratio = _ratio(summary.disk_bytes, baseline.disk_bytes)
        summary.compressed_ratio = _ratio(summary.compressed_bytes, baseline.compressed_bytes)
        summary.rss_peak_ratio = _ratio(summary.rss_peak_bytes, baseline.rss_peak_bytes)
        summary.load_ratio = _ratio(summary.load_seconds, baseline.load_seconds)
        summary.first_call_ratio = _ratio(summary.first_call_seconds, baseline.first_call_seconds)
        summary.throughput_ratio = _ratio(summary.examples_per_second, baseline.examples_per_second)


def _add_latency_ratios(
    baseline_job: str, sharing: Sequence[JobSummary], trials_of: Mapping[str, Sequence[Row]]
) -> None:
    """Add latency ratios and verdicts to all jobs that share a baseline: Holm adjusts across its variants.

    The baseline's own row gets a ratio of exactly 1, without an interval. Every row gets the noise floor and, with
    slots, what these cost the baseline.
    """
    baseline_trials = trials_of[baseline_job]
    floor, cost = noise_floor(a_a_log_ratios(_included(baseline_trials))), cost_of_slots(baseline_trials)
    estimates = {
        str(summary.job): _estimate(str(summary.job), baseline_job, trials_of[str(summary.job)]) for summary in sharing
    }
    adjusted = _adjusted(estimates)
    disturbed = are_disturbed([trial for summary in sharing for trial in trials_of[str(summary.job)]])
    for summary in sharing:
        estimate, p_value_holm = estimates[str(summary.job)], adjusted.get(str(summary.job))
        if estimate is not None:
            summary.latency_ratio = estimate.ratio
            summary.latency_ratio_low, summary.latency_ratio_high = estimate.low, estimate.high
            summary.latency_half_width = estimate.half_width
            summary.p_value, summary.p_value_holm = estimate.p_value, p_value_holm
        for name in _OTHER_RATIOS:
            other = _estimate(str(summary.job), baseline_job, trials_of[str(summary.job)], name)
            if other is not None:
                setattr(summary, name, other.ratio)
                setattr(summary, f"{name}_low", other.low)
                setattr(summary, f"{name}_high", other.high)
        summary.noise_floor = floor
        summary.verdict = verdict(estimate, p_value_holm, floor, disturbed)
        summary.add(cost)
    _add_capacity_ratios(baseline_job, [s for s in sharing if s.capacity_per_second], trials_of, disturbed)


def _add_capacity_ratios(
    baseline_job: str, sharing: Sequence[JobSummary], trials_of: Mapping[str, Sequence[Row]], disturbed: bool
) -> None:
    """Add capacity ratios and verdicts to the jobs that share a baseline, all of which have a capacity above 0."""
    floor = noise_floor(a_a_log_ratios(_included(trials_of[baseline_job]), lambda _: "capacity_per_second"))
    estimates = {
        str(summary.job): _estimate(str(summary.job), baseline_job, trials_of[str(summary.job)], "capacity_ratio")
        for summary in sharing
    }
    adjusted = _adjusted(estimates)
    for summary in sharing:
        estimate, p_value_holm = estimates[str(summary.job)], adjusted.get(str(summary.job))
        if estimate is not None:
            summary.capacity_ratio = estimate.ratio
            summary.capacity_ratio_low, summary.capacity_ratio_high = estimate.low, estimate.high
            summary.capacity_p_value, summary.capacity_p_value_holm = estimate.p_value, p_value_holm
        summary.capacity_noise_floor = floor
        summary.capacity_verdict = verdict(estimate, p_value_holm, floor, disturbed, ("lower", "higher"))


def _add_quality(sharing: Sequence[JobSummary], margin: float) -> None:
    """Add verdicts on the quality to all jobs that share a baseline: Holm adjusts across its variants."""
    found = qualities(list(map(vars, sharing)), margin)
    p_values = {str(s.job): s.accuracy_p_value for s in sharing if s.accuracy_p_value is not None}
    p_values_holm = adjusted(p_values)
    on_slices = adjusted({str(s.job): s.slice_p_value for s in sharing if s.slice_p_value is not None})
    for summary in sharing:
        summary.accuracy_p_value_holm = p_values_holm.get(str(summary.job))
        summary.slice_p_value_holm = on_slices.get(str(summary.job))
        if str(summary.job) in found:
            summary.add(found[str(summary.job)])


def _adjusted(estimates: Mapping[str, Estimate | None]) -> dict[str, float]:
    """Return the p-value of each job that has one, adjusted across all of them."""
    return adjusted({job: e.p_value for job, e in estimates.items() if e is not None and e.p_value is not None})


def _estimate(job: str, baseline_job: str, trials: Sequence[Row], column: str = "latency_ratio") -> Estimate | None:
    """Estimate a ratio to the baseline from one log ratio for each round that is included."""
    if job == baseline_job:
        return Estimate(1.0) if _included(trials) else None
    return estimate_ratio([math.log(trial[column]) for trial in _included(trials) if trial[column]])


def _included(trials: Sequence[Row]) -> list[Row]:
    """Return the ok trials of the rounds that are included."""
    return [trial for trial in trials if trial["status"] == "ok" and trial["included"]]


def _ratio(value: float | None, baseline: float | None) -> float | None:
    return value / baseline if value is not None and baseline else None


def _median(values: Iterable[Any]) -> float | None:
    known = [value for value in values if value is not None]
    return float(median(known)) if known else None


def _by_key(values: Iterable[V], key: Callable[[V], K]) -> dict[K, list[V]]:
    groups: dict[K, list[V]] = defaultdict(list)
    for value in values:
        groups[key(value)].append(value)
    return groups
