"""Choose a report's answers and make its cells. HTML, Markdown and the terminal show the same cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.recommend.names import labels_of
from runner.report.columns import COLUMNS, Cell, Column, columns_for
from runner.report.metrics import by_name, metric_columns
from runner.report.noise import floor_sentence, raw_times_sentence, rounds_sentence, slots_sentence, turns_sentence
from runner.report.quality import is_certified, not_certified, quality_sentence, within, would_decide
from runner.results.format import UNKNOWN, milliseconds, pluralize
from runner.results.labels import conditions, job_label, quota
from runner.results.saturation import saturation_sentence
from runner.results.score import score_of
from runner.results.tables import Row, Tables


@dataclass(frozen=True)
class Variant:
    """One job in its group. `verdict` is faster, slower, tie, disturbed, baseline, failed or not evaluated."""

    row: Row
    label: str
    verdict: str
    problem: str  # such as "oom in 2 of 3 trials"; empty if all went well
    cells: dict[str, Cell]  # by the title of their column, in order


@dataclass(frozen=True)
class Group:
    """The jobs that can be compared: they share a baseline, and everything but model and technique.

    Fastest first.

    Attributes:
        answers: the first things to know, as pairs of a title and a variant: the fastest, the fastest whose quality is
            certified, and the baseline.
        shortfall: a sentence if one of the first two does not exist.
        caption: what was measured.
        noise: how far the figures can be trusted.
        saturation: which variants' int8 products may saturate on this CPU; empty if none may.
        quality: how the qualities compare with the baseline's; empty without labels.
    """

    title: str
    answers: list[tuple[str, Variant]]
    shortfall: str
    caption: str
    noise: str
    saturation: str
    quality: str
    columns: list[Column]
    variants: list[Variant]

    @property
    def lead(self) -> str:
        """Return the answers in one or two sentences."""
        said = [f"{what}: {_praise(variant)}." for what, variant in self.answers if variant.verdict != "baseline"]
        return " ".join([*said, self.shortfall]).strip()


@dataclass(frozen=True)
class Failure:
    """A job with a failure. `problem` is, for example, "oom in 2 of 3 trials"; `reason` is its first error."""

    label: str
    status: str
    problem: str
    reason: str
    log: str


_PADDED_TO = {"longest": "the longest of the call", "max_length": "full length"}
_OF_TRIALS = [
    "job",
    "round",
    "role",
    "beside",
    "status",
    "threads",
    "precision",
    "partner_ratio",
    "no_turns",
    "disturbance",
    "disturbed_by",
    "included",
]
_SHARED = ("baseline_job", "family", "task", "workload", "threads", "isolation", "quota_cpus", "load", "cpu")


def groups(tables: Tables) -> list[Group]:
    """Return the groups in the order of the plan. Each has its fastest job first."""
    trials: dict[str, list[Row]] = {}
    for trial in tables.results.select(_OF_TRIALS).to_pylist():
        trials.setdefault(trial["job"], []).append(trial)
    precisions = {job: trial["precision"] for job, own in trials.items() for trial in own if trial["precision"]}
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in tables.jobs:
        key = tuple(row[name] for name in _SHARED)
        found.setdefault(key, []).append(row | by_name(row) | {"precision": precisions.get(row["job"])})
    return [_group(rows, trials) for rows in found.values()]


def failures(tables: Tables) -> list[Failure]:
    """Return every job with a trial that failed or is missing."""
    return [
        Failure(job_label(row), row["status"], _problem(row), row["error"] or "", row["log"] or "")
        for row in tables.jobs
        if row["status"] != "ok"
    ]


def failures_by_reason(tables: Tables) -> dict[tuple[str, str], list[Failure]]:
    """Return the failures by status and reason, most frequent first. Missing jobs are left out: they may still run."""
    found: dict[tuple[str, str], list[Failure]] = {}
    for failure in failures(tables):
        if failure.status == "missing":
            continue
        found.setdefault((failure.status, failure.reason), []).append(failure)
    return dict(sorted(found.items(), key=lambda entry: -len(entry[1])))


def _group(rows: Sequence[Row], trials: Mapping[str, Sequence[Row]]) -> Group:
    ranked, columns = sorted(rows, key=_speed), [*columns_for(rows, COLUMNS), *metric_columns(rows)]
    labels = labels_of(rows)
    variants = [
        Variant(
            row,
            labels[row["job"]],
            _verdict(row),
            _problem(row) if row["status"] != "ok" else "",
            {column.title: column.cell(row) for column in columns},
        )
        for row in ranked
    ]
    first = rows[0]
    title = f"{first['family']} on {first['task']}, workload {first['workload']}, {conditions(first)}"
    own = [trial for row in rows for trial in trials.get(row["job"], [])]
    said = [floor_sentence(rows), slots_sentence(rows, own), turns_sentence(own), rounds_sentence(own)]
    noise = " ".join(filter(None, [*said, raw_times_sentence(rows)]))
    saturation = saturation_sentence((one.label, one.row) for one in variants)
    quality = quality_sentence(rows)
    return Group(title, *_answers(variants), _caption(rows), noise, saturation, quality, columns, variants)


def _speed(row: Row) -> tuple[bool, bool, float]:
    """Return a sort key: by ratio, then jobs without a ratio by latency, then jobs that were never measured."""
    latency, ratio = row["latency_p50_seconds"], row["latency_ratio"]
    return latency is None, ratio is None, ratio or latency or 0.0


def _verdict(row: Row) -> str:
    if row["latency_p50_seconds"] is None:
        return "not measured" if row["status"] == "missing" else "failed"
    if row["job"] == row["baseline_job"]:
        return "baseline"
    return row["verdict"] or "not evaluated"


def _problem(row: Row) -> str:
    """Return what went wrong, such as 'oom in 2 of 3 trials'."""
    planned, status, parts = row["trials_planned"], row["status"], []
    bad = planned - row["trials_ok"] - row["trials_missing"]
    if bad:
        parts.append(f"{status} in {bad} of {pluralize(planned, 'trial')}")
    if row["trials_missing"]:
        parts.append(f"{row['trials_missing']} of {pluralize(planned, 'trial')} missing")
    return ", ".join(parts) or status


def _answers(variants: Sequence[Variant]) -> tuple[list[tuple[str, Variant]], str]:
    """Return the first things to know, and a sentence about what does not exist."""
    faster = [v for v in variants if v.verdict == "faster"]
    faster = faster or [v for v in variants if v.verdict == "not evaluated" and (v.row["latency_ratio"] or 1) < 1]
    baseline = [("Baseline", v) for v in variants if v.verdict == "baseline"]
    if not faster:
        return baseline, "No variant was shown to be faster than the baseline."
    fastest = faster[0]
    if all(v.row["quality_verdict"] is None for v in variants):
        return [("Fastest", fastest), *baseline], ""
    certified = next((v for v in faster if is_certified(v.row)), None)
    if certified is None:
        return [("Fastest", fastest), *baseline], not_certified([(v.label, v.row) for v in faster])
    if certified is fastest:
        return [(f"Fastest, and certified {within(certified.row)}", certified), *baseline], ""
    return [("Fastest", fastest), (f"Fastest certified {within(certified.row)}", certified), *baseline], ""


def _praise(variant: Variant) -> str:
    cells = variant.cells
    parts = [f"{variant.label}, {cells['Speedup'].text} ({cells['Speedup'].note or 'not evaluated'})"]
    if score := score_of(variant.row):
        parts.append(f"{score.title} {cells[score.heading].text}")
    if variant.row["quality_texts_needed"] is not None:
        parts.append(f"not certified yet: {would_decide(variant.row)}")
    parts += [
        f"{cells[title].text} of {title.lower().removesuffix(' peak')}{f' ({note})' if note else ''}"
        for title in ("Disk", "Memory peak")
        if (note := cells[title].note) or cells[title].text != UNKNOWN
    ]
    if variant.row["changed_predictions"] is not None and variant.row["weights"] != "random":
        parts.append(f"{variant.row['changed_predictions']:,} predictions changed")
    return ", ".join(parts)


def _caption(rows: Sequence[Row]) -> str:
    """Return a caption that names the baseline, the call and the box."""
    baseline = next((row for row in rows if row["job"] == row["baseline_job"]), None)
    parts = [f"Baseline: {baseline['model']} · {baseline['technique']}."] if baseline is not None else []
    calls = next((row for row in rows if row["batch_size"] is not None), None)
    if calls is not None:
        padded_to = _PADDED_TO.get(calls["padding"], calls["padding"])
        if calls["bucket"] is not None:
            padded_to = f"the next multiple of {calls['bucket']} tokens"
        texts, limit = pluralize(calls["batch_size"], "text"), pluralize(calls["max_length"], "token")
        parts.append(f"A call is {texts}, padded to {padded_to}, cut at {limit}.")
    parts += _objective(rows[0])
    parts.append(f"Box: {rows[0]['isolation']}{quota(rows[0])}.")
    return " ".join(parts)


def _objective(row: Row) -> list[str]:
    """Return what an open load asks of the service."""
    if row["load"] is None:
        return []
    wait = f", for which it waits up to {milliseconds(row['max_wait_seconds'])}" if row["max_wait_seconds"] else ""
    return [
        f"Capacity: {row['slo_percentile']:g}% of the requests are answered within {milliseconds(row['slo_seconds'])} "
        f"of their random arrival (Poisson), by {pluralize(row['workers'], 'worker')}; a call has up to "
        f"{pluralize(row['max_batch_size'], 'request')}{wait}."
    ]
