"""Charts as plain Plotly figures (dicts of data and layout). Colours and sizes of text are set by the page."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from runner.report.threads import Scaling
from runner.report.view import Group, Variant
from runner.results.tables import Tables

Figure = dict[str, Any]

# Okabe and Ito's palette, safe for colour-blind readers, less black and yellow: legible on light and on dark.
_PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
_DASHES = ("solid", "dash", "dot", "dashdot")
_GREY = "#7b828d"
_VERDICT_COLOURS = {"faster": "#0072B2", "slower": "#D55E00"}
_SYMBOLS = {"import": "circle", "load": "square", "first call": "diamond", "warm-up": "triangle-up", "timed": "star"}
_QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)
_POINTS_PER_PHASE = 60
_ROW_PIXELS = 30


def speedup_chart(group: Group) -> Figure | None:
    """Bars from zero: baseline latency ÷ variant latency, with its 95% interval; the fastest on top."""
    shown = [v for v in group.variants if v.row["latency_ratio"] is not None]
    if len(shown) < 2:
        return None
    ratios = [v.row["latency_ratio"] for v in shown]
    lows = [v.row["latency_ratio_low"] or v.row["latency_ratio"] for v in shown]
    highs = [v.row["latency_ratio_high"] or v.row["latency_ratio"] for v in shown]
    speedups = [1 / ratio for ratio in ratios]
    bars = {
        "type": "bar",
        "orientation": "h",
        "y": [_plain(v.label) for v in shown],
        "x": speedups,
        "marker": {"color": [_VERDICT_COLOURS.get(v.verdict, _GREY) for v in shown]},
        "text": [f"{1 / ratio:.2f}×" for ratio in ratios],
        "textposition": "auto",  # outside where the bar is too short
        "textangle": 0,
        "insidetextanchor": "start",
        "insidetextfont": {"color": "#ffffff"},
        "customdata": [v.verdict for v in shown],
        "hovertemplate": "%{y}<br>%{x:.3f}× %{customdata}<extra></extra>",
        "error_x": {
            "type": "data",
            "symmetric": False,
            "arrayminus": [s - 1 / high for s, high in zip(speedups, highs, strict=True)],
            "array": [1 / low - s for s, low in zip(speedups, lows, strict=True)],
        },
    }
    widest, room = max(1 / low for low in lows), 1.5 * max(speedups)
    cut = " (whiskers cut at the edge)" if widest > room else ""  # else a wild interval would hide the bars
    layout = {
        "height": 90 + _ROW_PIXELS * len(shown),
        "xaxis": {
            "title": {"text": f"speedup: baseline ÷ variant{cut}"},
            "range": [0, 1.05 * min(widest, room)],
        },
        "yaxis": {"autorange": "reversed"},
        "shapes": [
            {"type": "line", "x0": 1, "x1": 1, "y0": 0, "y1": 1, "yref": "paper", "line": {"dash": "dot", "width": 1}}
        ],
    }
    return {"data": [bars], "layout": layout}


def latency_chart(group: Group, tables: Tables) -> Figure | None:
    """One box per variant over the timed calls of all its ok trials: quartiles, whiskers at 1% and 99%."""
    calls = _of_ok_trials(tables.samples, tables, [v.row["job"] for v in group.variants])
    if calls.empty:
        return None
    calls_ms = {str(job): own.to_numpy() * 1e3 for job, own in calls.groupby("job")["latency_seconds"]}
    shown = [v for v in group.variants if v.row["job"] in calls_ms]
    keys = ("lowerfence", "q1", "median", "q3", "upperfence")
    boxes = [
        {
            "type": "box",
            "orientation": "h",
            "y": [_plain(v.label)],
            **{key: [x] for key, x in zip(keys, np.quantile(calls_ms[v.row["job"]], _QUANTILES).tolist(), strict=True)},
            "line": {"color": _VERDICT_COLOURS.get(v.verdict, _GREY), "width": 1.5},
            "name": _plain(v.label),
            "showlegend": False,
        }
        for v in shown
    ]
    dots = {
        "type": "scatter",
        "mode": "markers",
        "x": [float(calls_ms[v.row["job"]].max()) for v in shown],
        "y": [_plain(v.label) for v in shown],
        "marker": {"color": _GREY, "size": 5},
        "hovertemplate": "slowest call %{x:.3g} ms<extra></extra>",
        "showlegend": False,
    }
    layout = {
        "height": 90 + _ROW_PIXELS * len(shown),
        "xaxis": {"title": {"text": "time of a call, ms (logarithmic axis)"}, "type": "log"},
        "yaxis": {"autorange": "reversed"},
    }
    return {"data": [*boxes, dots], "layout": layout}


def memory_chart(group: Group, tables: Tables) -> Figure | None:
    """Resident memory over time, one line per variant (its first ok trial); a symbol marks where a phase starts."""
    samples = _of_ok_trials(tables.memory, tables, [v.row["job"] for v in group.variants])
    if samples.empty:
        return None
    by_job = {str(job): own for job, own in samples.groupby("job", sort=False)}
    lines = [
        _memory_line(v, by_job[v.row["job"]], number)
        for number, v in enumerate(v for v in group.variants if v.row["job"] in by_job)
    ]
    layout = {
        "height": 440,
        "xaxis": {"title": {"text": "seconds since the start of the process"}, "rangemode": "tozero"},
        "yaxis": {"title": {"text": "resident memory, MB"}, "rangemode": "tozero"},
        "showlegend": True,
    }
    return {"data": lines, "layout": layout}


def _memory_line(variant: Variant, samples: pd.DataFrame, number: int) -> Figure:
    first = samples[["round", "role"]].iloc[0]
    trial = samples[(samples["round"] == first["round"]) & (samples["role"] == first["role"])]
    points = pd.concat([_thinned(phase) for _, phase in trial.groupby("phase", sort=False)])
    starts = (points["phase"] != points["phase"].shift()).tolist()
    colour, dash = _PALETTE[number % len(_PALETTE)], _DASHES[number // len(_PALETTE) % len(_DASHES)]
    if variant.verdict == "baseline":
        colour, dash = _GREY, "solid"
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": _plain(variant.label),
        "x": points["seconds"].round(3).tolist(),
        "y": (points["rss_bytes"] / 1e6).round(1).tolist(),
        "text": [_plain(phase) for phase in points["phase"]],
        "hovertemplate": "%{fullData.name}<br>%{text}, %{x:.2f} s: %{y:.0f} MB<extra></extra>",
        "line": {"color": colour, "width": 2, "dash": dash},
        "marker": {
            "color": colour,
            "symbol": [_SYMBOLS.get(phase, "circle-open") for phase in points["phase"]],
            "size": [8 if start else 0 for start in starts],
            "opacity": 1,  # else Plotly lightens markers whose size varies
            "line": {"width": 0},
        },
    }


def _thinned(phase: pd.DataFrame) -> pd.DataFrame:
    """Keep the first, the last and the highest of each stretch, so that no peak is lost."""
    stretch = max(1, -(-len(phase) // _POINTS_PER_PHASE))
    bins = pd.Series(range(len(phase)), index=phase.index) // stretch
    kept = phase["rss_bytes"].groupby(bins).idxmax().tolist()
    return phase.loc[sorted({phase.index[0], *kept, phase.index[-1]})]


def scaling_chart(scaling: Scaling) -> Figure | None:
    """One line per technique: speedup by the number of threads; the dotted one has an efficiency of 1."""
    if len(scaling.threads) < 2:
        return None  # two points say no more than the table does
    threads = [1, *scaling.threads]
    lines = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": _plain(label),
            "x": [number for number in threads if number in (1, *rows)],
            "y": [1 if number == 1 else rows[number]["thread_speedup"] for number in threads if number in (1, *rows)],
            "line": {"color": _PALETTE[i % len(_PALETTE)], "dash": _DASHES[i // len(_PALETTE) % len(_DASHES)]},
            "hovertemplate": "%{fullData.name}<br>%{x} threads: %{y:.2f}×<extra></extra>",
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


def _of_ok_trials(table: Any, tables: Tables, jobs: Sequence[str]) -> pd.DataFrame:
    """Return the rows that belong to ok trials of these jobs; the partner's calls have a role of their own."""
    trials = tables.results.select(["job", "round", "role", "status"]).to_pandas()
    ok = trials[(trials["status"] == "ok") & trials["job"].isin(list(jobs))].drop(columns="status")
    frame: pd.DataFrame = table.to_pandas().merge(ok, on=["job", "round", "role"])
    return frame


def _plain(text: str) -> str:
    """Plotly reads a subset of HTML in names; this keeps a name the text that it is."""
    return html.escape(text)
