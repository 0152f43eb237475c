"""Draw resident memory over the time of a trial."""

from __future__ import annotations

import pandas as pd

from runner.report.charts.chart import GREY, MAX_LINES, Chart, Figure, line_style, most, plain
from runner.report.recordings import Recordings
from runner.report.view import Group, Variant

_SYMBOLS = {"import": "circle", "load": "square", "tokenizer": "x", "first call": "diamond", "warm-up": "triangle-up"}
_SYMBOLS |= {"timed": "star", "longest call": "cross"}
_POINTS_PER_PHASE = 60


def memory_chart(group: Group, recorded: Recordings) -> Chart | None:
    """Draw one line for each variant (its first ok trial). A symbol marks the start of a phase."""
    shown, left_out = most(group, [v for v in group.variants if v.row["job"] in recorded.memory], MAX_LINES)
    if not shown:
        return None
    lines = [_line(v, recorded.memory[v.row["job"]], number) for number, v in enumerate(shown)]
    layout = {
        "height": 440,
        "xaxis": {"title": {"text": "seconds since the start of the process"}, "rangemode": "tozero"},
        "yaxis": {"title": {"text": "resident memory, MB"}, "rangemode": "tozero"},
        "showlegend": True,
    }
    said = "First trial of each variant. A symbol marks where a phase starts: ● import, ■ load, ✖ tokenizer, "
    said += "◆ first call, ▲ warm-up, ★ timed calls, ✚ a call with the longest input."
    return Chart("memory", "Memory over time.", said + left_out, {"data": lines, "layout": layout}, wide=True)


def _line(variant: Variant, trial: pd.DataFrame, number: int) -> Figure:
    points = pd.concat([_thinned(phase) for _, phase in trial.groupby("phase", sort=False)])
    starts = (points["phase"] != points["phase"].shift()).tolist()
    style = {"color": GREY, "dash": "solid"} if variant.verdict == "baseline" else line_style(number)
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": plain(variant.label),
        "x": points["seconds"].round(3).tolist(),
        "y": (points["rss_bytes"] / 1e6).round(1).tolist(),
        "text": [plain(phase) for phase in points["phase"]],
        "hovertemplate": "%{fullData.name}<br>%{text}, %{x:.2f} s: %{y:.0f} MB<extra></extra>",
        "line": {"width": 2, **style},
        "marker": {
            "color": style["color"],
            "symbol": [_SYMBOLS.get(phase, "circle-open") for phase in points["phase"]],
            "size": [8 if start else 0 for start in starts],
            "opacity": 1,  # else Plotly lightens markers whose size varies
            "line": {"width": 0},
        },
    }


def _thinned(phase: pd.DataFrame) -> pd.DataFrame:
    """Keep the first, the last and the highest sample of each stretch, so that no peak is lost."""
    stretch = max(1, -(-len(phase) // _POINTS_PER_PHASE))
    bins = pd.Series(range(len(phase)), index=phase.index) // stretch
    kept = phase["rss_bytes"].groupby(bins).idxmax().tolist()
    return phase.loc[sorted({phase.index[0], *kept, phase.index[-1]})]
