"""Draw the latency of a service against the rate of its requests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from statistics import median

from runner.report.charts.chart import GREY, MAX_LINES, Chart, Figure, line_style, log_axis, most, plain
from runner.report.recordings import Recordings
from runner.report.view import Group, Variant
from runner.results.tables import Row

_STEP = 1.08  # the ratio of the ends of an interval of rates, whose probes give one point of the line


def load_chart(group: Group, recorded: Recordings) -> Chart | None:
    """Draw one line for each variant: medians of the probes at about the same rate. Dots are single probes."""
    shown, left_out = most(group, [v for v in group.variants if v.row["job"] in recorded.probes], MAX_LINES)
    if not shown:
        return None
    data: list[Figure] = []
    for number, variant in enumerate(shown):
        style = {"color": GREY, "dash": "solid"} if variant.verdict == "baseline" else line_style(number)
        data += _traces(variant, recorded.probes[variant.row["job"]], style)
    percentile, bound = shown[0].row["slo_percentile"], 1000 * shown[0].row["slo_seconds"]
    rates, latencies = ([value for trace in data for value in trace[axis]] for axis in ("x", "y"))
    layout = {
        "height": 440,
        "xaxis": log_axis("requests a second", min(rates), max(rates)),
        "yaxis": log_axis(f"latency at the {percentile:g}th percentile, ms", min(latencies), max(latencies)),
        "shapes": [
            {"type": "line", "x0": 0, "x1": 1, "xref": "paper", "y0": bound, "y1": bound}
            | {"line": {"dash": "dot", "width": 1}}
        ],
        "showlegend": True,
    }
    said = (
        "From the arrival of a request to its answer. Each dot is a probe of some seconds, the line goes through the "
    )
    said += (
        f"medians of those at about the same rate, and ◆ is the capacity, the median over rounds. Dotted: {bound:g} ms."
    )
    return Chart("load", "Latency under load.", said + left_out, {"data": data, "layout": layout}, wide=True)


def _traces(variant: Variant, probes: Sequence[Row], style: dict[str, str]) -> list[Figure]:
    """Return the dots, the line and the capacity of a variant."""
    shared: Figure = {"type": "scatter", "legendgroup": plain(variant.label), "name": plain(variant.label)}
    points = sorted((probe["asked_per_second"], 1000 * probe["slo_latency_seconds"]) for probe in probes)
    alike = [list(group) for _, group in groupby(points, key=lambda point: math.floor(math.log(point[0], _STEP)))]
    middles = [(median(rate for rate, _ in own), median(latency for _, latency in own)) for own in alike]
    dot = {"size": 4, "color": style["color"], "opacity": 0.5}
    traces: list[Figure] = [
        {"mode": "markers", "marker": dot, "showlegend": False, **_xy(points)},
        {"mode": "lines", "line": {"width": 2, **style}, **_xy(middles)},
    ]
    if capacity := variant.row["capacity_per_second"]:
        marker = {"size": 10, "color": style["color"], "symbol": "diamond"}
        at = [(capacity, 1000 * variant.row["slo_seconds"])]
        traces.append({"mode": "markers", "marker": marker, "showlegend": False, **_xy(at)})
    hover = "%{fullData.name}<br>%{x:.4g} requests a second: %{y:.3g} ms<extra></extra>"
    return [shared | trace | {"hovertemplate": hover} for trace in traces]


def _xy(points: Sequence[tuple[float, float]]) -> Figure:
    return {"x": [float(f"{x:.5g}") for x, _ in points], "y": [float(f"{y:.5g}") for _, y in points]}
