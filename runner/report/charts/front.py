"""The Pareto fronts: latency against the score, disk and memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from runner.report.charts.chart import GREY, VERDICT_COLOURS, Chart, Figure, log_axis, plain
from runner.report.charts.labels import label_places
from runner.report.view import Group, Variant
from runner.results.pareto import ParetoStatus, Point, pareto_status
from runner.results.score import SCORES, Score, score_of_all
from runner.results.tables import Row

_MAX_POINTS, _MAX_NAMES, _MAX_WHISKERS = 300, 60, 80  # of each trace
_SHOWN = 0.2  # of the score, below the best
_WIDTH, _HEIGHT = 1040, 440  # pixels: of a wide chart's plane, of any chart
_BLUE = VERDICT_COLOURS["faster"]
_EXPLAINED = (
    "Filled: no other variant is at least as fast and as {good}. Hollow: cannot be distinguished from the filled one "
    "that it is joined to. Grey: another one is better in both."
)


@dataclass(frozen=True)
class _Measure:
    """A figure that latency is drawn against.

    Attributes:
        value: returns the figure in the unit of the axis; None where it is not known.
        interval: returns how far below and above the figure its 95% interval reaches; None where there is none.
        sign: −1 where more is better.
        shown: how far below the best value the axis reaches; None for as far as there are values.
    """

    name: str
    title: str
    axis: str
    good: str
    value: Callable[[Row], float | None]
    interval: Callable[[Row], tuple[float, float] | None]
    sign: int
    explanation: str = ""
    shown: float | None = None

    @property
    def is_wide(self) -> bool:
        """Return whether the chart has the whole width of the page."""
        return self.shown is not None


def front_charts(group: Group) -> list[Chart]:
    """Return one chart per measure in which the variants differ."""
    score = score_of_all(variant.row for variant in group.variants)
    measures = [*([_measure_of(score)] if score else []), *_OTHERS]
    return [chart for measure in measures if (chart := _front_chart(group, measure))]


def _front_chart(group: Group, measure: _Measure) -> Chart | None:
    baseline = next((v.row for v in group.variants if v.verdict == "baseline"), None)
    shown = [v for v in group.variants if v.row["latency_ratio"] and measure.value(v.row) is not None]
    if baseline is None or len({measure.value(v.row) for v in shown}) < 2:
        return None
    unit_ms = 1e3 * baseline["latency_p50_seconds"]
    points = [_point(v.row, unit_ms, measure) for v in shown]
    values = [float(measure.value(v.row) or 0.0) for v in shown]
    axes = _axes(measure, [point.latency for point in points], values, [measure.interval(v.row) for v in shown])
    drawn = _Drawn(shown, points, values, pareto_status(points), measure, axes)
    data = [drawn.ties(), drawn.dominated(), drawn.tied(), drawn.front(), drawn.baseline()]
    explanation = f"{_EXPLAINED.format(good=measure.good)} {measure.explanation}".strip()
    explanation += drawn.left_out()
    if min(values) < axes.floor:
        explanation += f" Triangles at the lower edge are below {axes.floor:.3g}."
    layout = {"height": _HEIGHT, "xaxis": axes.x, "yaxis": axes.y, "hovermode": "closest"}
    figure = {"data": data, "layout": layout}
    return Chart(f"front-{measure.name}", measure.title, explanation, figure, measure.is_wide)


@dataclass(frozen=True)
class _Axes:
    """The layout of both axes with their ranges; values below the floor are drawn at the floor."""

    x: Figure
    y: Figure
    floor: float

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point is, from 0 to 1 along each axis."""
        return _along(self.x, x), _along(self.y, max(y, self.floor))


def _axes(
    measure: _Measure, latencies: Sequence[float], values: Sequence[float], spans: Sequence[tuple[float, float] | None]
) -> _Axes:
    """Return the axes of a chart.

    The score is cut off far below the best value, because useless variants would flatten all others. Its axis has room
    for the whiskers: without them a difference of two texts would fill the chart.
    """
    floor = 0.0 if measure.shown is None else max(values) - measure.shown
    title = "latency, ms: the baseline's p50 ÷ speedup"
    x = log_axis(title, min(latencies), max(latencies))
    reach = [span if span and value >= floor else (0.0, 0.0) for value, span in zip(values, spans, strict=True)]
    ends = [end for v, (below, above) in zip(values, reach, strict=True) for end in (v - below, v + above)]
    shown = [max(end, floor) for end in ends]
    y = {"title": {"text": measure.axis}} if measure.sign < 0 else log_axis(measure.axis, min(shown), max(shown))
    return _Axes(x | {"range": _range(x, latencies)}, y | {"range": _range(y, shown)}, floor)


def _range(axis: Figure, values: Sequence[float]) -> list[float]:
    """Return the range of an axis, a little wider than its values; in powers of ten if it is logarithmic."""
    ends = [math.log10(v) if axis.get("type") == "log" else v for v in (min(values), max(values))]
    room = 0.08 * (ends[1] - ends[0]) or 0.1
    return [ends[0] - room, ends[1] + room]


def _along(axis: Figure, value: float) -> float:
    low, high = (float(end) for end in axis["range"])
    return ((math.log10(value) if axis.get("type") == "log" else value) - low) / (high - low)


def _point(row: Row, unit_ms: float, measure: _Measure) -> Point:
    """Return a variant as a point: its latency is its ratio, which is known well, times the baseline's latency."""
    ratio = row["latency_ratio"]
    low, high = row["latency_ratio_low"] or ratio, row["latency_ratio_high"] or ratio
    return Point(unit_ms * ratio, unit_ms * low, unit_ms * high, measure.sign * float(measure.value(row) or 0.0))


@dataclass(frozen=True)
class _Drawn:
    """The traces of one chart."""

    variants: Sequence[Variant]
    points: Sequence[Point]
    values: Sequence[float]
    statuses: Sequence[ParetoStatus]
    measure: _Measure
    axes: _Axes

    def front(self) -> Figure:
        """Return the variants that no other one dominates, with their names, joined by a line."""
        chosen = _thinned(self._on_front())
        labels = self._labels(chosen)
        return self._trace(chosen, {"color": _BLUE, "size": 10}) | {
            "mode": "lines+markers+text",
            "text": ["" if i == self._baseline() else labels[i][0] for i in chosen],
            "textposition": [labels[i][1] for i in chosen],
            "line": {"color": _BLUE, "width": 1},
            "cliponaxis": False,
        }

    def baseline(self) -> Figure:
        """Return a ring around the baseline, and its name."""
        own = self._baseline()
        if own is None:
            return {"type": "scatter"}
        text, position = self._labels(_thinned(self._on_front()))[own]
        return {
            "type": "scatter",
            "mode": "markers+text",
            "x": [self.points[own].latency],
            "y": [max(self.values[own], self.axes.floor)],
            "text": [text],
            "textposition": [position],
            "marker": {"symbol": "diamond-open", "size": 15, "color": GREY, "line": {"width": 1.5}},
            "hoverinfo": "skip",
            "cliponaxis": False,
        }

    def _labels(self, chosen: Sequence[int]) -> dict[int, tuple[str, str]]:
        """Return the name of each chosen variant and of the baseline, and where it goes; many get an empty name."""
        named, own = set(chosen[:: -(-len(chosen) // _MAX_NAMES) or 1]), self._baseline()
        texts = {i: self.variants[i].label if i in named else "" for i in chosen}
        if own is not None:
            texts[own] = f"{self.variants[own].label}, the baseline"
        shown = list(texts)
        places = [self.axes.place(self.points[i].latency, self.values[i]) for i in shown]
        width = _WIDTH if self.measure.is_wide else _WIDTH / 2
        positions = label_places(places, list(texts.values()), width, _HEIGHT - 100, rising=self.measure.sign < 0)
        return {i: (plain(texts[i]), position) for i, position in zip(shown, positions, strict=True)}

    def tied(self) -> Figure:
        """Return the variants that may be as good as one on the front."""
        return self._trace(
            _thinned(self._tied()), {"color": _BLUE, "size": 8, "symbol": "circle-open", "line": {"width": 2}}
        )

    def dominated(self) -> Figure:
        """Return the variants that another one dominates."""
        return self._trace(_thinned(self._dominated()), {"color": GREY, "size": 6})

    def left_out(self) -> str:
        """Return a sentence if there are more points than a page can draw, else nothing."""
        drawn = sum(len(_thinned(those)) for those in (self._on_front(), self._tied(), self._dominated()))
        if drawn == len(self.points):
            return ""
        return f" {drawn:,} of {len(self.points):,} points are drawn, evenly chosen; the table has all."

    def _baseline(self) -> int | None:
        return next((i for i, variant in enumerate(self.variants) if variant.verdict == "baseline"), None)

    def _on_front(self) -> list[int]:
        chosen = [i for i, status in enumerate(self.statuses) if status.on_front]
        return sorted(chosen, key=lambda i: self.points[i].latency)

    def _tied(self) -> list[int]:
        return [i for i, status in enumerate(self.statuses) if status.tied_to is not None]

    def _dominated(self) -> list[int]:
        return [i for i, status in enumerate(self.statuses) if status.dominated]

    def ties(self) -> Figure:
        """Return a line from each tied variant to the one on the front that it is tied to."""
        x: list[float | None] = []
        y: list[float | None] = []
        for i in _thinned(self._tied()):
            ends = (i, self.statuses[i].tied_to or 0)
            x += [*(self.points[end].latency for end in ends), None]
            y += [*(max(self.values[end], self.axes.floor) for end in ends), None]
        return {
            "type": "scatter",
            "mode": "lines",
            "x": x,
            "y": y,
            "line": {"color": _BLUE, "width": 1, "dash": "dot"},
            "hoverinfo": "skip",
        }

    def _trace(self, chosen: Sequence[int], marker: dict[str, Any]) -> Figure:
        trace: Figure = {
            "type": "scatter",
            "mode": "markers",
            "x": [self.points[i].latency for i in chosen],
            "y": [max(self.values[i], self.axes.floor) for i in chosen],
            "hovertext": [plain(self.variants[i].label) for i in chosen],
            "customdata": [[plain(cell) for cell in _hover(self.variants[i])] for i in chosen],
            "hovertemplate": "<b>%{hovertext}</b><br>%{customdata[0]}<br>%{customdata[1]}<extra></extra>",
            "marker": {"symbol": "circle"} | marker,
        }
        if any(self.values[i] < self.axes.floor for i in chosen):
            own = trace["marker"]["symbol"]
            symbols = ["triangle-down" if self.values[i] < self.axes.floor else own for i in chosen]
            trace["marker"] = trace["marker"] | {"symbol": symbols}
        if len(chosen) <= _MAX_WHISKERS:
            latencies = [(self.points[i].latency, self.points[i].low, self.points[i].high) for i in chosen]
            spans = [
                self.measure.interval(self.variants[i].row) if self.values[i] >= self.axes.floor else None
                for i in chosen
            ]
            trace["error_x"] = _whiskers([(latency - low, high - latency) for latency, low, high in latencies])
            if any(spans):
                trace["error_y"] = _whiskers([span or (0.0, 0.0) for span in spans])
        return trace


def _thinned(places: list[int]) -> list[int]:
    """Return at most _MAX_POINTS of the places, evenly chosen."""
    return places[:: -(-len(places) // _MAX_POINTS) or 1]


def _whiskers(spans: Sequence[tuple[float, float]]) -> Figure:
    below, above = zip(*spans, strict=True) if spans else ((), ())
    return {"type": "data", "symmetric": False, "arrayminus": list(below), "array": list(above)}


def _hover(variant: Variant) -> tuple[str, str]:
    cells = variant.cells
    speed, others = cells["Speedup"], (*(score.heading for score in SCORES), "Disk", "Memory peak")
    first = f"{speed.text} {f'({speed.note}) ' if speed.note else ''}{variant.verdict}"
    return first, ", ".join(f"{name.lower()} {cells[name].text}" for name in others if name in cells)


def _measure_of(score: Score) -> _Measure:
    """Return the score as a measure, with the interval of its difference to the baseline's on the same texts."""

    def value(row: Row) -> float | None:
        known = score.value(row)
        return None if known is None else known / score.factor

    def interval(row: Row) -> tuple[float, float] | None:
        difference = score.difference(row)
        if difference is None:
            return None
        middle, low, high = (end / score.factor for end in difference)
        return middle - low, high - middle

    return _Measure(
        "score",
        "Fast and accurate.",
        f"{score.title}, {score.unit}" if score.unit else score.title,
        "accurate",
        value,
        interval,
        -1,
        f"Whiskers are 95% intervals; those of {score.title} are of the difference to the baseline on the same texts.",
        _SHOWN / score.factor,
    )


def _megabytes(name: str) -> Callable[[Row], float | None]:
    return lambda row: None if not row[name] else row[name] / 1e6


def _none(_: Row) -> None:
    return None


_OTHERS = (
    _Measure("disk", "Fast and small.", "disk, MB", "small", _megabytes("disk_bytes"), _none, 1),
    _Measure("memory", "Fast and lean.", "memory peak, MB", "lean in memory", _megabytes("rss_peak_bytes"), _none, 1),
)
