"""What a report says, as text in cells: made once, then drawn as HTML, Markdown or on a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.report.columns import COLUMNS, Cell, Column, columns_for
from runner.report.figures import counted
from runner.report.noise import floor_sentence, rounds_sentence, turns_sentence
from runner.results.tables import Tables

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Variant:
    """One job in its group. `verdict` is faster, slower, tie, baseline, failed or not judged."""

    row: Row
    label: str
    verdict: str
    problem: str  # such as "oom in 2 of 3 trials"; empty if all went well
    cells: list[Cell]


@dataclass(frozen=True)
class Group:
    """The jobs that can be compared: those that share a baseline, and with it all but model and technique.

    Fastest first. `caption` says what was measured, `noise` how far that can be trusted.
    """

    title: str
    lead: str
    caption: str
    noise: str
    columns: list[Column]
    variants: list[Variant]


@dataclass(frozen=True)
class Failure:
    """A job that did not go well."""

    label: str
    problem: str
    reason: str
    log: str


_PADDED_TO = {"longest": "the longest of the call", "max_length": "full length"}
_OF_TRIALS = [
    "job",
    "round",
    "status",
    "threads",
    "precision",
    "partner_ratio",
    "disturbance",
    "disturbed_by",
    "counted",
]
_SHARED = ("baseline_job", "family", "task", "workload", "threads", "isolation")


def groups(tables: Tables) -> list[Group]:
    """Return the comparable jobs, group by group in the order of the plan, each fastest first."""
    trials = tables.results.select(_OF_TRIALS).to_pylist()
    precisions = {trial["job"]: trial["precision"] for trial in trials if trial["precision"]}
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in tables.summary.to_pylist():
        key = tuple(row[name] for name in _SHARED)
        found.setdefault(key, []).append(row | {"precision": precisions.get(row["job"])})
    return [_group(rows, trials) for rows in found.values()]


def failures(tables: Tables) -> list[Failure]:
    """Return every job with a trial that failed or is missing."""
    return [
        Failure(job_label(row), _problem(row), row["error"] or "", row["log"] or "")
        for row in tables.summary.to_pylist()
        if row["status"] != "ok"
    ]


def job_label(row: Row) -> str:
    """Return a job as people say it, for where its group is not named."""
    return f"{row['model']} · {row['technique']} · {counted(row['threads'], 'thread')}"


def _group(rows: Sequence[Row], trials: Sequence[Row]) -> Group:
    ranked, columns = sorted(rows, key=_speed), columns_for(rows, COLUMNS)
    jobs = {row["job"] for row in rows}
    labels = Counter(map(group_label, rows))
    variants = [
        Variant(
            row,
            group_label(row) if labels[group_label(row)] == 1 else f"{group_label(row)} ({row['job']})",
            _verdict(row),
            _problem(row) if row["status"] != "ok" else "",
            [column.cell(row) for column in columns],
        )
        for row in ranked
    ]
    first = rows[0]
    title = f"{first['family']} on {first['task']}, workload {first['workload']}, {counted(first['threads'], 'thread')}"
    own = [trial for trial in trials if trial["job"] in jobs]
    said = [floor_sentence(rows), turns_sentence(own), rounds_sentence(own)]
    return Group(title, _lead(variants, columns), _caption(rows), " ".join(filter(None, said)), columns, variants)


def group_label(row: Row) -> str:
    """Name a job within its group, whose title names the family."""
    own = row["model"] == row["family"]
    return str(row["technique"]) if own else f"{row['model']} · {row['technique']}"


def _speed(row: Row) -> tuple[bool, bool, float]:
    """Order by ratio; jobs without one by latency, after them; jobs that were never measured last."""
    latency, ratio = row["latency_p50_seconds"], row["latency_ratio"]
    return latency is None, ratio is None, ratio or latency or 0.0


def _verdict(row: Row) -> str:
    if row["latency_p50_seconds"] is None:
        return "failed"
    if row["job"] == row["baseline_job"]:
        return "baseline"
    return row["verdict"] or "not judged"


def _problem(row: Row) -> str:
    """Say what went wrong, as 'oom in 2 of 3 trials'."""
    planned, status, parts = row["trials_planned"], row["status"], []
    bad = planned - row["trials_ok"] - row["trials_missing"]
    if bad:
        parts.append(f"{status} in {bad} of {counted(planned, 'trial')}")
    if row["trials_missing"]:
        parts.append(f"{row['trials_missing']} of {counted(planned, 'trial')} missing")
    return ", ".join(parts) or status


def _lead(variants: Sequence[Variant], columns: Sequence[Column]) -> str:
    """Return the answer in one sentence, or why there is none."""
    faster = [v for v in variants if v.verdict == "faster"]
    unjudged = [v for v in variants if v.verdict == "not judged" and (v.row["latency_ratio"] or 1) < 1]
    if not faster and not unjudged:
        return "No variant was shown to be faster than the baseline."
    best = (faster or unjudged)[0]
    figure = {column.title: cell for column, cell in zip(columns, best.cells, strict=True)}
    how_sure = figure["Speedup"].note or "not judged"
    parts = [f"Fastest: {best.label}, {figure['Speedup'].text} ({how_sure})"]
    parts += [f"{title.lower()} {figure[title].note}" for title in ("Disk", "Memory peak") if figure[title].note]
    if best.row["accuracy"] is not None:
        parts.append(f"accuracy {figure['Accuracy'].text}")
    if best.row["changed_predictions"] is not None and best.row["weights"] != "random":
        parts.append(f"{best.row['changed_predictions']:,} predictions changed")
    return ", ".join(parts) + "."


def _caption(rows: Sequence[Row]) -> str:
    """Name the baseline, what a call is, and the box."""
    baseline = next((row for row in rows if row["job"] == row["baseline_job"]), None)
    parts = [f"Baseline: {baseline['model']} · {baseline['technique']}."] if baseline is not None else []
    calls = next((row for row in rows if row["batch_size"] is not None), None)
    if calls is not None:
        padded_to = _PADDED_TO.get(calls["padding"], calls["padding"])
        if calls["bucket"] is not None:
            padded_to = f"the next multiple of {calls['bucket']} tokens"
        texts, limit = counted(calls["batch_size"], "text"), counted(calls["max_length"], "token")
        parts.append(f"A call is {texts}, padded to {padded_to}, cut at {limit}.")
    parts.append(f"Box: {rows[0]['isolation']}.")
    return " ".join(parts)
