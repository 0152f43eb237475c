"""Draw how fast each variant is: against the baseline, and against the machine's peak."""

from __future__ import annotations

import math
from typing import Any

from runner.report.charts.chart import (
    GREY,
    MAX_ROWS,
    ROW_PIXELS,
    VERDICT_COLOURS,
    Chart,
    Figure,
    ink_on,
    log_axis,
    most,
    plain,
)
from runner.report.view import Group

_MAX_BY_LENGTH = 30  # times as fast, up to which bars from zero can be compared
_PRECISION_COLOURS = {"float32": "#0072B2", "int8": "#E69F00", "bfloat16": "#009E73"}


def speedup_chart(group: Group) -> Chart | None:
    """Draw bars from zero: baseline latency ÷ variant latency, with its 95% interval. The fastest is on top."""
    shown, left_out = most(group, [v for v in group.variants if v.row["latency_ratio"] is not None], MAX_ROWS)
    if len(shown) < 2:
        return None
    ratios = [v.row["latency_ratio"] for v in shown]
    lows = [v.row["latency_ratio_low"] or v.row["latency_ratio"] for v in shown]
    highs = [v.row["latency_ratio_high"] or v.row["latency_ratio"] for v in shown]
    speedups = [1 / ratio for ratio in ratios]
    colours = [VERDICT_COLOURS.get(v.verdict, GREY) for v in shown]
    bars = _bars(shown, speedups, [f"{speedup:.2f}×" for speedup in speedups], colours) | {
        "customdata": [v.verdict for v in shown],
        "hovertemplate": "%{y}<br>%{x:.3f}× %{customdata}<extra></extra>",
        "error_x": {
            "type": "data",
            "symmetric": False,
            "arrayminus": [s - 1 / high for s, high in zip(speedups, highs, strict=True)],
            "array": [1 / low - s for s, low in zip(speedups, lows, strict=True)],
        },
    }
    if max(speedups) > _MAX_BY_LENGTH:
        return _speedup_dots(bars, left_out)
    widest, room = max(1 / low for low in lows), 1.5 * max(speedups)
    cut = " (whiskers cut at the edge)" if widest > room else ""  # else a wild interval would hide the bars
    layout = {
        "height": 90 + ROW_PIXELS * len(shown),
        "xaxis": {"title": {"text": f"speedup: baseline ÷ variant{cut}"}, "range": [0, 1.05 * min(widest, room)]},
        "yaxis": {"autorange": "reversed"},
        "shapes": [
            {"type": "line", "x0": 1, "x1": 1, "y0": 0, "y1": 1, "yref": "paper", "line": {"dash": "dot", "width": 1}}
        ],
    }
    said = (
        "Bars start at zero. The line at 1 is the baseline. Whiskers are 95% intervals. Grey is a tie, no verdict, or "
    )
    return Chart("speedup", "How fast.", f"{said}the baseline itself.{left_out}", {"data": [bars], "layout": layout})


def _speedup_dots(bars: Figure, left_out: str) -> Chart:
    """Draw dots on a logarithmic axis. Beside a variant that is 100 times as fast, other bars would have no length."""
    kept = ("y", "x", "text", "marker", "customdata", "hovertemplate", "error_x")
    dots = {name: bars[name] for name in kept} | {
        "type": "scatter",
        "mode": "markers+text",
        "textposition": "top center",
    }
    ends = [math.log10(min(bars["x"]) / 1.2), math.log10(max(bars["x"]) * 2.5)]  # room for the figures
    layout = {
        "height": 90 + ROW_PIXELS * len(bars["y"]),
        "xaxis": log_axis("speedup: baseline ÷ variant", min(bars["x"]), max(bars["x"])) | {"range": ends},
        "yaxis": {"range": [len(bars["y"]) - 0.5, -0.9]},
        "shapes": [
            {"type": "line", "x0": 1, "x1": 1, "y0": 0, "y1": 1, "yref": "paper", "line": {"dash": "dot", "width": 1}}
        ],
    }
    said = (
        "The line at 1 is the baseline. Whiskers are 95% intervals. Grey is a tie, no verdict, or the baseline itself."
    )
    return Chart("speedup", "How fast.", said + left_out, {"data": [dots], "layout": layout})


def peak_chart(group: Group) -> Chart | None:
    """Draw bars from zero: the rate of each variant as a percentage of the machine's peak in the same precision."""
    shown, left_out = most(group, [v for v in group.variants if v.row["peak_fraction"] is not None], MAX_ROWS)
    if not shown:
        return None
    precisions = sorted({v.row["precision"] or "unknown" for v in shown})
    bars = []
    for precision in precisions:
        own = [v for v in shown if (v.row["precision"] or "unknown") == precision]
        percents = [100 * v.row["peak_fraction"] for v in own]
        colour = _PRECISION_COLOURS.get(precision, GREY)
        bars.append(
            _bars(own, percents, [f"{percent:.0f}%" for percent in percents], [colour] * len(own))
            | {
                "name": precision,
                "hovertemplate": "%{y}<br>%{x:.1f}% of the peak in " + plain(precision) + "<extra></extra>",
            }
        )
    layout = {
        "height": 90 + ROW_PIXELS * len(shown),
        "barmode": "overlay",  # each variant has one bar only
        "xaxis": {"title": {"text": "percent of the measured peak"}, "range": [0, 105]},
        "yaxis": {"autorange": "reversed", "categoryorder": "array", "categoryarray": [plain(v.label) for v in shown]},
        "showlegend": len(precisions) > 1,
    }
    said = "The rate of matrix products, padding included, against the best rate that this machine reached with these "
    said += (
        "threads in the same precision, or in float32 where that is faster. The rest is what the same model could gain."
    )
    return Chart("peak", "How near to the machine's peak.", said + left_out, {"data": bars, "layout": layout})


def _bars(shown: list[Any], values: list[float], texts: list[str], colours: list[str]) -> dict[str, Any]:
    return {
        "type": "bar",
        "orientation": "h",
        "y": [plain(v.label) for v in shown],
        "x": values,
        "text": texts,
        "textposition": "auto",  # outside where the bar is too short
        "textangle": 0,
        "insidetextanchor": "start",
        "insidetextfont": {"color": [ink_on(colour) for colour in colours]},
        "marker": {"color": colours},
    }
