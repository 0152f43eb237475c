"""The changes from A to B as Plotly figures. The page sets the colours of text and axes."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Sequence

from runner.diff import messages
from runner.diff.change import (
    CAPACITY,
    CAPACITY_RATIO,
    DISK,
    FIRST_CALL,
    LATENCY,
    LOAD,
    MEMORY,
    RATIO,
    SCORE,
    Change,
    Measure,
)
from runner.diff.compare import Diff
from runner.report.charts.chart import GREY, MAX_ROWS, VERDICT_COLOURS, Chart, Figure, plain

_ALWAYS = (RATIO, LATENCY)  # the first of these that any job has
_IF_REAL = (LATENCY, CAPACITY_RATIO, CAPACITY, MEMORY, DISK, LOAD, FIRST_CALL, SCORE)
_COLOURS = {"worse": VERDICT_COLOURS["slower"], "better": VERDICT_COLOURS["faster"]}
_ROW_PIXELS = 34  # two lines of a name
_LINE_LETTERS = 22
_MIN_ROOM = math.log(1.1)  # on either side of no change, so that noise does not fill the chart
_ROOM = 2.5  # times the largest change: longer whiskers are cut


def charts(comparison: Diff) -> list[Chart]:
    """Return the chart of latency, and one for every other measure in which a job really changed."""
    main = next((measure for measure in _ALWAYS if _changes(comparison, measure)), None)
    changed = {change.measure.name for job in comparison.real for change in job.real}
    shown = [measure for measure in _IF_REAL if measure.name in changed and measure is not main]
    shown = [measure for measure in shown if _changes(comparison, measure)]
    return [_chart(comparison, measure, measure is main) for measure in ([main] if main else []) + shown]


def _chart(comparison: Diff, measure: Measure, is_wide: bool) -> Chart:
    size = "B − A" if measure is SCORE else "B ÷ A on a logarithmic axis"
    explanation = f"{size}; to the right is {measure.up.replace('-', ' ')}."
    rows = _changes(comparison, measure)
    if len(rows) > MAX_ROWS:
        explanation += f" The {MAX_ROWS} of {len(rows):,} jobs that really changed, or changed most."
        rows = sorted(rows, key=lambda row: (not row[1].real, -abs(row[1].size)))[:MAX_ROWS]
    return Chart(measure.name, f"{measure.title}.", explanation, _dots(rows, measure), is_wide)


def _dots(changes: Sequence[tuple[str, Change]], measure: Measure) -> Figure:
    """Return a figure with one dot per job and its 95% interval, the largest on top; ratios on a logarithmic axis."""
    rows = sorted(changes, key=lambda row: -row[1].size)
    is_ratio = measure is not SCORE
    shown: Callable[[float], float] = (lambda size: math.exp(size)) if is_ratio else (lambda size: 100 * size)
    scale = math.log if is_ratio else float
    lows = [scale(change.low) if change.low is not None else change.size for _, change in rows]
    highs = [scale(change.high) if change.high is not None else change.size for _, change in rows]
    sizes = [change.size for _, change in rows]
    room = _ROOM * max(_MIN_ROOM if is_ratio else 0.01, *map(abs, sizes))
    ends = max(-room, min(0.0, *lows)), min(room, max(0.0, *highs))
    margin = max(0.08 * (ends[1] - ends[0]), (_MIN_ROOM if is_ratio else 0.01) / 4)
    is_cut = min(lows) < ends[0] or max(highs) > ends[1]
    edges = [ends[0] - margin, ends[1] + margin]
    dots = {
        "type": "scatter",
        "mode": "markers+text",
        "y": [plain(name) for name, _ in rows],
        "x": [shown(size) for size in sizes],
        "text": [messages.relative(change) if change.real else "" for _, change in rows],
        "textposition": "top center",
        "cliponaxis": False,
        "marker": {
            "size": [11 if change.real else 7 for _, change in rows],
            "color": [_COLOURS.get(messages.tone(change), GREY) for _, change in rows],
            "opacity": 1,  # else Plotly lightens markers whose size varies
            "line": {"width": 0},
        },
        "customdata": [plain(messages.sentence(change)) for _, change in rows],
        "hovertemplate": "%{y}<br>%{customdata}<extra></extra>",
        "error_x": {
            "type": "data",
            "symmetric": False,
            "arrayminus": [shown(size) - shown(low) for size, low in zip(sizes, lows, strict=True)],
            "array": [shown(high) - shown(size) for size, high in zip(sizes, highs, strict=True)],
        },
    }
    none, axis = (1, "B ÷ A (logarithmic)") if is_ratio else (0, "B − A, points")
    layout = {
        "height": 90 + _ROW_PIXELS * len(rows),
        "xaxis": {
            "title": {"text": axis + (", whiskers cut" if is_cut else "")},
            "type": "log" if is_ratio else "linear",
            "range": [edge / math.log(10) for edge in edges] if is_ratio else [100 * edge for edge in edges],
            **({"tickvals": _ticks(edges), "tickformat": "~g"} if is_ratio else {}),
        },
        "yaxis": {
            "autorange": "reversed",
            "type": "category",
            "tickvals": [plain(name) for name, _ in rows],
            "ticktext": [_in_two_lines(name) for name in _without_shared_end([name for name, _ in rows])],
        },
        "shapes": [
            {"type": "line", "x0": none, "x1": none, "y0": 0, "y1": 1, "yref": "paper"}
            | {"line": {"dash": "dot", "width": 1}}
        ],
    }
    return {"data": [dots], "layout": layout}


def _changes(comparison: Diff, measure: Measure) -> list[tuple[str, Change]]:
    """Return the jobs in which this measure changed, or may have changed, by name."""
    name = messages.namer(comparison)
    pairs = ((name(job.pair.b), job.change(measure.name)) for job in comparison.compared)
    return [(label, change) for label, change in pairs if change is not None and _may_have_changed(change)]


def _may_have_changed(change: Change) -> bool:
    is_drawn = change.ratio is not None or change.measure is SCORE  # there is no ratio to a capacity of 0
    return is_drawn and (change.size != 0 or change.low != change.high)


def _without_shared_end(names: Sequence[str]) -> list[str]:
    """Remove the end that all names share, such as the number of threads."""
    ends = {name.rpartition(" · ")[2] for name in names}
    return [name.rpartition(" · ")[0] or name for name in names] if len(ends) == 1 else list(names)


def _in_two_lines(name: str) -> str:
    """Return a name as Plotly's markup in at most two lines; a longer one is cut, because phones are narrow."""
    kept_together = name.replace(" · ", "\u00a0· ").replace(" thread", "\u00a0thread")
    lines = textwrap.wrap(kept_together, _LINE_LETTERS, max_lines=2, placeholder="…")
    return "<br>".join(map(plain, lines))


def _ticks(edges: Sequence[float]) -> list[float]:
    """Return about five round ratios between two logarithms, 1 among them."""
    low, high = (math.exp(edge) for edge in edges)
    if high / low > 4:
        ticks = [digit * 10**power for power in range(-4, 5) for digit in (1, 2, 5)]
    else:
        step = next(s for s in (0.02, 0.05, 0.1, 0.2, 0.5) if (high - low) / s <= 6.5 or s == 0.5)
        ticks = [round(step * number, 2) for number in range(1, int(high / step) + 1)]
    return [tick for tick in ticks if low <= tick <= high]
