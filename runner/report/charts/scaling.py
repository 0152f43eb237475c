"""Draw the speedup from more threads."""

from __future__ import annotations

from runner.report.charts.chart import Figure, line_style, plain
from runner.report.threads import Scaling
from runner.results.format import pluralize


def scaling_chart(scaling: Scaling) -> Figure | None:
    """Draw the speedup by the number of threads, one line per technique. The dotted line has an efficiency of 1."""
    if len(scaling.threads) < 2:
        return None  # two points say no more than the table does
    threads = [1, *scaling.threads]
    lines = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": plain(label),
            "x": [number for number in threads if number in (1, *rows)],
            "y": [1 if number == 1 else rows[number]["thread_speedup"] for number in threads if number in (1, *rows)],
            "text": [pluralize(number, "thread") for number in threads if number in (1, *rows)],
            "line": line_style(i),
            "hovertemplate": "%{fullData.name}<br>%{text}: %{y:.2f}×<extra></extra>",
        }
        for i, (label, rows) in enumerate(scaling.variants)
    ]
    ideal = {
        "type": "line",
        "x0": 1,
        "y0": 1,
        "x1": threads[-1],
        "y1": threads[-1],
        "line": {"dash": "dot", "width": 1},
    }
    layout = {
        "height": 380,
        "xaxis": {"title": {"text": "threads"}, "tickvals": threads},
        "yaxis": {"title": {"text": "speedup over one thread"}, "rangemode": "tozero"},
        "shapes": [ideal],
        "showlegend": True,
    }
    return {"data": lines, "layout": layout}
