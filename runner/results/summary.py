"""One row per job: medians over its trials, and what they say against its baseline."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

import pyarrow as pa

from runner.results.prediction_metrics import prediction_columns
from runner.results.predictions import Evaluation
from runner.results.records.summary import MEASURED
from runner.results.records.trial import STATUSES
from runner.results.rounds import a_a_log_ratios
from runner.results.scaling import thread_scaling
from runner.results.schema import SUMMARY
from runner.results.slots import cost_of_slots
from runner.results.statistics import (
    Estimate,
    estimate_ratio,
    holm,
    noise_floor,
    verdict,
)
from runner.results.tables import Tables, rows_by_job

Row = Mapping[str, Any]

_PLAIN_RATIOS = {
    "disk_ratio": "disk_bytes",
    "compressed_ratio": "compressed_bytes",
    "rss_peak_ratio": "rss_peak_bytes",
    "load_ratio": "load_seconds",
    "first_call_ratio": "first_call_seconds",
    "throughput_ratio": "examples_per_second",
}


#: What the summary needs of all trials at once; the rest is looked at job by job.
_TO_COMPARE = ["job", "round", "role", "status", "included", "latency_ratio", "partner_ratio", "latency_p50_seconds"]
_TO_COMPARE += ["disturbance", "beside"]
_FIXED = ["sweep", "weights", "batch_size", "padding", "max_length", "bucket"]
_FIXED += ["artifact", "artifact_format", "plugins", "masked", "int8_weight_bits", "int8_may_saturate"]
_OF_TRIALS = [*_FIXED, "round", "status", "error", "log", "included", *MEASURED]


def summarize(jobs: Sequence[Row], planned: Mapping[str, int], results: Any, evaluations: Sequence[Evaluation]) -> Any:
    """Build the summary table, one row per job of the plan, in its order.

    Args:
        jobs: the jobs of the plan.
        planned: how many trials of each job the plan has.
        results: the table of trials, evaluated.
        evaluations: the predictions of the artifacts.
    """
    figures = {
        job: _figures(planned.get(job, 0), trials) for job, trials in rows_by_job(results.select(["job", *_OF_TRIALS]))
    }
    rows = {
        job["job"]: _identity(job) | figures.get(job["job"], _figures(planned.get(job["job"], 0), [])) for job in jobs
    }
    evaluation_of = {job: evaluation for evaluation in evaluations for job in evaluation.jobs}
    pairs = [(evaluation_of.get(key), evaluation_of.get(row["baseline_job"])) for key, row in rows.items()]
    for row, evaluated in zip(rows.values(), prediction_columns(pairs), strict=True):
        baseline = rows.get(row["baseline_job"])
        if baseline is not None:
            row |= {name: _ratio(row[column], baseline[column]) for name, column in _PLAIN_RATIOS.items()}
        row |= evaluated
    trials_of = _grouped(results.select(_TO_COMPARE).to_pylist(), "job")
    for baseline_job, sharing in _grouped(rows.values(), "baseline_job").items():
        compared = _latency_against_baseline(baseline_job, [row["job"] for row in sharing], trials_of)
        for job, columns in compared.items():
            rows[job] |= columns
    for job, columns in thread_scaling(list(rows.values()), trials_of).items():
        rows[job] |= columns
    return pa.Table.from_pylist(list(rows.values()), schema=SUMMARY)


def outcome(tables: Tables) -> int:
    """Return the exit code of a sweep: 0 all planned trials ok, 1 some failed or missing, 2 none ok."""
    ok = sum(tables.summary["trials_ok"].to_pylist())
    if ok == 0:
        return 2
    return 0 if ok == sum(tables.summary["trials_planned"].to_pylist()) else 1


def _identity(job: Row) -> dict[str, Any]:
    return {**{name: job.get(name) for name in SUMMARY.names}, "baseline_job": job.get("baseline")}


def _figures(planned: int, trials: Sequence[Row]) -> dict[str, Any]:
    """Return settings, status and medians of one job; only ok trials of counted rounds enter the medians."""
    ok = _counted(trials)
    failed = next((trial for trial in trials if trial["status"] != "ok"), None)
    complete = "ok" if len(trials) == planned and trials else "missing"
    return {
        **{name: _first_known(trials, name) for name in _FIXED},
        "status": failed["status"] if failed else complete,
        "error": failed["error"] if failed else None,
        "log": failed["log"] if failed else None,
        "trials_planned": planned,
        "trials_missing": planned - len(trials),
        "rounds_run": len({trial["round"] for trial in trials}),
        "rounds_included": len({trial["round"] for trial in trials if trial["included"]}),
        **{f"trials_{s.replace('-', '_')}": sum(t["status"] == s for t in trials) for s in STATUSES},
        **{name: _median([trial[name] for trial in ok]) for name in MEASURED},
    }


def _latency_against_baseline(
    baseline_job: str, jobs: Sequence[str], trials_of: Mapping[str, Sequence[Row]]
) -> dict[str, dict[str, Any]]:
    """Return the latency columns of all jobs that share one baseline: Holm runs across its variants.

    The baseline's own row gets the noise floor and a ratio of exactly 1, without an interval. With slots, all get what
    these cost the baseline.
    """
    floor = noise_floor(a_a_log_ratios(_counted(trials_of[baseline_job])))
    estimates = {job: estimate_ratio(_log_ratios(trials_of[job])) for job in jobs if job != baseline_job}
    if baseline_job in jobs and _counted(trials_of[baseline_job]):
        estimates[baseline_job] = Estimate(1.0)
    p_values = {job: e.p_value for job, e in estimates.items() if e is not None and e.p_value is not None}
    adjusted = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    cost = cost_of_slots(trials_of[baseline_job])
    return {job: _latency_columns(estimate, adjusted.get(job), floor) | cost for job, estimate in estimates.items()}


def _log_ratios(trials: Sequence[Row]) -> list[float]:
    """Return one log ratio per counted round."""
    return [math.log(trial["latency_ratio"]) for trial in _counted(trials) if trial["latency_ratio"]]


def _latency_columns(estimate: Estimate | None, adjusted: float | None, floor: float | None) -> dict[str, Any]:
    return {
        "latency_ratio": estimate.ratio if estimate else None,
        "latency_ratio_low": estimate.low if estimate else None,
        "latency_ratio_high": estimate.high if estimate else None,
        "latency_half_width": estimate.half_width if estimate else None,
        "p_value": estimate.p_value if estimate else None,
        "p_value_holm": adjusted,
        "noise_floor": floor,
        "verdict": verdict(estimate, adjusted, floor),
    }


def _counted(trials: Sequence[Row]) -> list[Row]:
    """Return the ok trials of the rounds that count."""
    return [trial for trial in trials if trial["status"] == "ok" and trial["included"]]


def _ratio(value: float | None, baseline: float | None) -> float | None:
    return value / baseline if value is not None and baseline else None


def _median(values: Iterable[Any]) -> float | None:
    known = [value for value in values if value is not None]
    return float(median(known)) if known else None


def _first_known(trials: Sequence[Row], name: str) -> Any:
    return next((trial[name] for trial in trials if trial[name] is not None), None)


def _grouped(rows: Iterable[Row], key: str) -> dict[Any, list[Row]]:
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[key]].append(row)
    return groups
