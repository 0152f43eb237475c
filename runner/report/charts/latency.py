"""Draw how much the timed calls of each variant vary."""

from __future__ import annotations

from runner.report.charts.chart import GREY, MAX_ROWS, ROW_PIXELS, VERDICT_COLOURS, Chart, log_axis, most, plain
from runner.report.recordings import Recordings
from runner.report.view import Group

_KEYS = ("lowerfence", "q1", "median", "q3", "upperfence")


def latency_chart(group: Group, recorded: Recordings) -> Chart | None:
    """Draw one box for each variant: quartiles of the timed calls of its ok trials, with whiskers at 1% and 99%."""
    calls = recorded.calls_seconds
    shown, left_out = most(group, [v for v in group.variants if v.row["job"] in calls], MAX_ROWS)
    if not shown:
        return None
    calls_ms = {v.row["job"]: [1e3 * value for value in calls[v.row["job"]]] for v in shown}
    boxes = [
        {
            "type": "box",
            "orientation": "h",
            "y": [plain(v.label)],
            **{key: [x] for key, x in zip(_KEYS, calls_ms[v.row["job"]], strict=False)},
            "line": {"color": VERDICT_COLOURS.get(v.verdict, GREY), "width": 1.5},
            "name": plain(v.label),
            "showlegend": False,
        }
        for v in shown
    ]
    dots = {
        "type": "scatter",
        "mode": "markers",
        "x": [calls_ms[v.row["job"]][-1] for v in shown],
        "y": [plain(v.label) for v in shown],
        "marker": {"color": GREY, "size": 5},
        "hovertemplate": "slowest call %{x:.3g} ms<extra></extra>",
        "showlegend": False,
    }
    drawn = [value for own in calls_ms.values() for value in own]
    layout = {
        "height": 90 + ROW_PIXELS * len(shown),
        "xaxis": log_axis("time of a call, ms", min(drawn), max(drawn)),
        "yaxis": {"range": [len(shown) - 0.5, -0.5]},
    }
    said = "All timed calls: box from 25% to 75%, whiskers at 1% and 99%, the dot is the slowest call. Where texts "
    said += "differ in length, calls differ in time."
    return Chart("latency", "How even.", said + left_out, {"data": [*boxes, dots], "layout": layout})
