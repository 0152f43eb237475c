"""A recommendation on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from runner.console import styled
from runner.recommend import messages
from runner.recommend.choose import Recommendation
from runner.recommend.decision import DecisionData
from runner.recommend.limits import Limits
from runner.results.format import UNKNOWN, milliseconds, pluralize

_NARROW_WIDTH = 120  # columns of the terminal below which the narrow set is shown
_MAX_ROWS = 30  # variants; a sweep may have thousands
_STYLES = {"winner": "bold green", "fits": "", "fails": "bright_black"}


def print_recommendation(
    data: DecisionData, chosen: Recommendation, limits: Limits, core_hour: float | None, console: Console
) -> None:
    """Print one choice: the winner, why, how sure that is, and which limits each other variant misses."""
    console.print(styled(f"{data.title}, isolation {data.isolation}", "bold"))
    if not data.variants:
        console.print(styled("Nothing was measured: there is nothing to choose from.", "red"))
    else:
        console.print(styled(f"Limits: {messages.limits_line(data, limits)}"))
        style = "bold red" if chosen.winner is None else "bold green"
        console.print(styled(f"→ {messages.headline(data, chosen)}", style))
        for sentence in messages.why(data, chosen, limits, core_hour):
            console.print(Padding(styled(sentence), (0, 0, 0, 2)))
        console.print(_table(data, chosen, limits, core_hour, console.width >= _NARROW_WIDTH))
        for line in filter(None, (messages.latency_line([data]), messages.memory_line([data]), data.saturation)):
            console.print(styled(line))
    hidden = len(data.variants) - _MAX_ROWS
    if hidden > 0:
        console.print(styled(f"… and {pluralize(hidden, 'slower or failing variant')} more."))
    for label, problem in data.failed[:_MAX_ROWS]:
        console.print(styled(f"Left out: {label}, {problem}.", "red"))


def _table(data: DecisionData, chosen: Recommendation, limits: Limits, core_hour: float | None, wide: bool) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("Variant", overflow="fold")
    shown = [m for m in data.measures if wide and (m.name in limits or not m.optional)]
    costs = ["Per million"] if core_hour is not None else []
    for title in ("Latency", *(measure.heading for measure in shown), *costs, "Best in"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("Fails on", overflow="fold")
    failing = [place for place, fails in enumerate(chosen.fails) if fails]
    for place in [*chosen.fitting, *failing][:_MAX_ROWS]:
        variant = data.variants[place]
        known = [(measure, variant.values.get(measure.name)) for measure in shown]
        cells = [variant.label, milliseconds(variant.latency_seconds)]
        cells += [UNKNOWN if value is None else measure.text(value) for measure, value in known]
        cells += [messages.price(data.cost(place, core_hour))] if core_hour is not None else []
        cells += [messages.share(chosen.shares.get(place)), messages.misses(data, chosen, place, limits)]
        style = _STYLES["winner" if place == chosen.winner else "fails" if chosen.fails[place] else "fits"]
        table.add_row(*(styled(cell, style) for cell in cells))
    return table
