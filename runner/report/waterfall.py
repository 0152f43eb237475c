"""Show the effect of each step of a declared chain: its factors to the row before; their product is the whole."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from runner.results.format import UNKNOWN, pluralize, significant
from runner.results.labels import conditions
from runner.results.rounds import log_ratios
from runner.results.statistics import Estimate, compare, estimate_ratio
from runner.results.tables import Row, Tables

Figure = dict[str, Any]

EXPLAINED = (
    "Each row is one step from the row before. Its factors say how many times as fast and as small the step made the "
    "result, so the product of all steps is the whole. Intervals (95%) are Student's t over the rounds in which both "
    "rows were measured."
)
APART = "not side by side"  # other inputs or threads: each was measured against a baseline of its own
MEASURES = ("Speed", "Disk", "Memory peak")
_COLOURS = ("#0072B2", "#E69F00", "#009E73")
_TICKS = [digit * 10**power for power in range(-2, 4) for digit in (1, 2, 5)]
_NAMES = ("model", "technique", "task", "workload", "threads", "isolation", "load")


@dataclass(frozen=True)
class Factor:
    """How many times as fast or as small this step is, and all steps so far are. None without a measurement."""

    added: float | None
    so_far: float | None
    note: str = ""  # the interval of `added`

    def text(self) -> str:
        """Return `added` as 2.50×."""
        return UNKNOWN if self.added is None else f"{significant(self.added)}×"

    def total(self) -> str:
        """Return `so_far` as 2.50×."""
        return UNKNOWN if self.so_far is None else f"{significant(self.so_far)}×"


@dataclass(frozen=True)
class Waterfall:
    """One chain: its first row, and the label and factors of each step in the order of MEASURES."""

    title: str
    start: str
    steps: list[tuple[str, list[Factor]]]


def waterfalls(tables: Tables) -> list[Waterfall]:
    """Return the waterfalls that the sweep's grid declares, in its order."""
    rows = {row["job"]: row for row in tables.jobs}
    trials: dict[str, list[Row]] = {}
    for trial in tables.results.select(_OF_TRIALS).to_pylist():
        if trial["status"] == "ok" and trial["included"]:
            trials.setdefault(trial["job"], []).append(trial)
    chains = tables.manifest.get("waterfalls") or []
    return [_waterfall([rows[job] for job in chain], trials) for chain in chains]


_OF_TRIALS = ["job", "round", "role", "status", "included", "latency_ratio", "latency_mean_seconds", "batch_size"]


def _waterfall(rows: Sequence[Row], trials: Mapping[str, Sequence[Row]]) -> Waterfall:
    first, steps = rows[0], []
    totals: list[float | None] = [1.0] * len(MEASURES)
    for before, after in pairwise(rows):
        speed, note = _speed(before, after, trials)
        added = (speed, _shrunk(before, after, "disk_bytes"), _shrunk(before, after, "rss_peak_bytes"))
        totals = [t * a if t is not None and a is not None else None for t, a in zip(totals, added, strict=True)]
        factors = [Factor(a, t) for a, t in zip(added, totals, strict=True)]
        factors[0] = Factor(speed, totals[0], note)
        steps.append((_changed(before, after), factors))
    return Waterfall(
        f"{first['family']} on {first['task']}, workload {first['workload']}, {conditions(first)}",
        f"{first['model']} · {first['technique']}",
        steps,
    )


def _speed(before: Row, after: Row, trials: Mapping[str, Sequence[Row]]) -> tuple[float | None, str]:
    """Return the speedup of a step, and its interval."""
    own, previous = trials.get(after["job"], []), trials.get(before["job"], [])
    if before["baseline_job"] == after["baseline_job"]:
        if not before["latency_ratio"] or not after["latency_ratio"]:
            return None, ""
        logs, own_logs = (
            log_ratios(side, row["job"] == row["baseline_job"]) for row, side in ((before, previous), (after, own))
        )
        paired = estimate_ratio([logs[number] - own_logs[number] for number in logs.keys() & own_logs.keys()])
        return before["latency_ratio"] / after["latency_ratio"], _interval(paired)
    apart = compare(_log_seconds_per_text(previous), _log_seconds_per_text(own))
    if apart is None:
        return None, ""
    return apart.ratio, ", ".join(filter(None, [_interval(apart), APART]))


def _log_seconds_per_text(trials: Sequence[Row]) -> list[float]:
    return [math.log(trial["latency_mean_seconds"] / trial["batch_size"]) for trial in trials]


def _interval(estimate: Estimate | None) -> str:
    if estimate is None or estimate.low is None or estimate.high is None:
        return ""
    return f"{significant(estimate.low)}–{significant(estimate.high)}"


def _shrunk(before: Row, after: Row, column: str) -> float | None:
    return before[column] / after[column] if before[column] and after[column] else None


def _changed(before: Row, after: Row) -> str:
    """Return the names of what a step changed."""
    return " · ".join(
        pluralize(after[name], "thread") if name == "threads" else str(after[name])
        for name in _NAMES
        if after[name] != before[name]
    )


def waterfall_chart(waterfall: Waterfall) -> Figure:
    """Draw bars that start where the last step ended. On the log axis, factors are lengths; the last is the whole."""
    places = [html.escape(f"{number}. {label}") for number, (label, _) in enumerate(waterfall.steps, 1)]
    bars, ends = [], [1.0]
    for index, (measure, colour) in enumerate(zip(MEASURES, _COLOURS, strict=True)):
        factors = [factors[index] for _, factors in waterfall.steps]
        spans = _spans(places, factors)
        ends += [end for _, _, end, _ in spans]
        bars.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": measure,
                "y": [place for place, *_ in spans],
                "base": [start for _, start, *_ in spans],
                "x": [end - start for _, start, end, _ in spans],
                "text": [text for *_, text in spans],
                "textposition": "outside",
                "marker": {"color": colour},
                "hovertemplate": "%{y}: %{text}<extra>%{fullData.name}</extra>",
            }
        )
    low, high = min(ends), max(ends)
    room = max(1.1, (high / low) ** 0.22)
    layout = {
        "height": 110 + 62 * (len(places) + 1),
        "barmode": "group",
        "xaxis": {
            "title": {"text": "times as fast, as small (logarithmic axis)"},
            "type": "log",
            "tickvals": _TICKS,
            "range": [math.log10(low / room**0.4), math.log10(high * room)],  # room for the figures
        },
        "yaxis": {"autorange": "reversed", "categoryorder": "array", "categoryarray": [*places, "all steps"]},
        "showlegend": True,
    }
    return {"data": bars, "layout": layout}


def _spans(places: Sequence[str], factors: Sequence[Factor]) -> list[tuple[str, float, float, str]]:
    """Return place, start, end and text of each known bar. The whole comes last."""
    spans: list[tuple[str, float, float, str]] = []
    start = 1.0
    for place, factor in zip(places, factors, strict=True):
        if factor.so_far is None:
            return spans
        spans.append((place, start, factor.so_far, factor.text()))
        start = factor.so_far
    return [*spans, ("all steps", 1.0, start, factors[-1].total())] if factors else []
