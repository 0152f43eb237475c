"""Draw the speedup of each variant in each round."""

from __future__ import annotations

from runner.report.charts.chart import GREY, MAX_LINES, Chart, Figure, line_style, log_axis, most, plain
from runner.report.recordings import Recordings
from runner.report.view import Group, Variant
from runner.results.tables import Row


def rounds_chart(group: Group, recorded: Recordings) -> Chart | None:
    """Draw the speedup by round, with one line for each variant. Open symbols are rounds that are not included."""
    with_ratios = {
        variant.row["job"]: [trial for trial in recorded.trials.get(variant.row["job"], []) if trial["latency_ratio"]]
        for variant in group.variants
    }
    shown, left_out = most(group, [v for v in group.variants if with_ratios[v.row["job"]]], MAX_LINES)
    rounds = sorted({trial["round"] + 1 for v in shown for trial in with_ratios[v.row["job"]]})
    if len(shown) < 2 or len(rounds) < 2:
        return None
    lines = [_line(v, with_ratios[v.row["job"]], number) for number, v in enumerate(shown)]
    speedups = [y for line in lines for y in line["y"]]
    layout = {
        "height": 380,
        "xaxis": {"title": {"text": "round"}, "tickvals": rounds[:: -(-len(rounds) // 20)]},
        "yaxis": log_axis("speedup: baseline ÷ variant", min(speedups), max(speedups)),
        "showlegend": True,
    }
    said = (
        "Level lines mean a quiet sweep. An open cross is a round that the machine disturbed and that does not count; "
    )
    said += "the baseline runs twice in each round, with one point on either side of 1."
    return Chart("rounds", "Round by round.", said + left_out, {"data": lines, "layout": layout}, wide=True)


def _line(variant: Variant, trials: list[Row], number: int) -> Figure:
    style = {"color": GREY, "dash": "solid"} if variant.verdict == "baseline" else line_style(number)
    return {
        "type": "scatter",
        "mode": "markers" if variant.verdict == "baseline" else "lines+markers",
        "name": plain(variant.label),
        "x": [trial["round"] + 1 for trial in trials],
        "y": [1 / trial["latency_ratio"] for trial in trials],
        "text": [_said(trial) for trial in trials],
        "hovertemplate": "%{fullData.name}<br>round %{x}: %{y:.3f}×%{text}<extra></extra>",
        "line": {"width": 1.5, **style},
        "marker": {
            "size": [7 if trial["included"] is not False else 9 for trial in trials],
            "symbol": ["circle" if trial["included"] is not False else "x-open" for trial in trials],
            "opacity": 1,
        },
    }


def _said(trial: Row) -> str:
    disturbed = f", disturbed: {trial['disturbed_by']}" if trial["disturbed_by"] else ""
    return disturbed + ("" if trial["included"] is not False else ", not included")
