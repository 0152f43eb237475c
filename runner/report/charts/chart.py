"""Define what all charts share: colours, names, and the number of variants in one chart."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runner.report.view import Group, Variant

Figure = dict[str, Any]

# Okabe and Ito's palette, safe for colour-blind readers, without black and yellow: legible on light and on dark.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
DASHES = ("solid", "dash", "dot", "dashdot")
GREY = "#7b828d"
VERDICT_COLOURS = {"faster": "#0072B2", "slower": "#D55E00"}
MAX_ROWS, MAX_LINES = 60, 12
ROW_PIXELS = 30


@dataclass(frozen=True)
class Chart:
    """A figure and its heading on the page. `name` is unique within a group. A wide chart takes the whole width."""

    name: str
    title: str
    explanation: str
    figure: Figure
    wide: bool = False


def plain(text: str) -> str:
    """Escape a name: Plotly reads a subset of HTML in names."""
    return html.escape(text)


def most(group: Group, variants: Sequence[Variant], number: int) -> tuple[list[Variant], str]:
    """Return at most that many variants (the fastest, and the baseline), and a sentence if some were left out."""
    if len(variants) <= number:
        return list(variants), ""
    baseline = [v for v in variants[number - 1 :] if v.verdict == "baseline"]
    shown = [*variants[: number - len(baseline)], *baseline]
    return shown, f" The {number - len(baseline)} fastest of {len(variants):,}" + (
        ", and the baseline." if baseline else "."
    )


def line_style(number: int) -> dict[str, Any]:
    """Return colour and dash of the line with this number. Grey always means the baseline."""
    return {"color": PALETTE[number % len(PALETTE)], "dash": DASHES[number // len(PALETTE) % len(DASHES)]}


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, from 1 to 21 (WCAG 2.1, relative luminance)."""
    lights = sorted(_luminance(colour) + 0.05 for colour in (one, other))
    return lights[1] / lights[0]


def ink_on(colour: str) -> str:
    """Return black or white: the one with more contrast to a colour."""
    return max("#ffffff", "#000000", key=lambda ink: contrast(ink, colour))


def _luminance(colour: str) -> float:
    shares = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.03928 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return sum(weight * light for weight, light in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def log_axis(title: str, low: float, high: float) -> Figure:
    """Return an axis. It is logarithmic, and labelled so, if the values span more than a decade."""
    if low > 0 and high / low > 10:
        return {"title": {"text": f"{title} (logarithmic axis)"}, "type": "log", **_log_ticks(low, high)}
    return {"title": {"text": title}}


def _log_ticks(low: float, high: float) -> Figure:
    """Return ticks at round values, written in full: Plotly's own ticks say 2 for 0.2 and for 20."""
    digits = (1, 2, 5) if high / low < 1e4 else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [float(f"{digit}e{power}") for power in powers for digit in digits]
    return {"tickvals": ticks, "ticktext": [f"{tick:,.10g}" for tick in ticks]}
