"""Print the configurations that a search has tried, and how far the model was off."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from runner.console import styled
from runner.recommend.capacity import Capacity
from runner.recommend.rate_terminal import expectation, interval
from runner.results.format import per_second, pluralize
from runner.results.tables import Tables
from runner.sweep.serving.configuration import Configuration, Wanted
from runner.sweep.serving.measured import Measured, measured
from runner.sweep.serving.steps import Proposals


def print_configurations(tables: Tables, wanted: Wanted, console: Console) -> bool:
    """Print what was tried, the best first, and return whether one of them keeps the objective at some rate."""
    known = measured(tables)
    ranked = sorted(known.capacities.items(), key=lambda tried: -tried[1].per_second)
    if not ranked or ranked[0][1].per_second <= 0:
        reason = "No configuration keeps it at any rate." if ranked else "None was tried under real load."
        console.print(styled(f"→ {wanted.objective} on {pluralize(wanted.cores, 'core')}: {reason}", "bold red"))
    else:
        best, capacity = ranked[0]
        said = f"→ {best.variant.technique}, {capacity.configuration}: {per_second(capacity.per_second)}"
        console.print(styled(f"{said} with {wanted.objective}", "bold green"))
    if ranked:
        console.print(_table(ranked, known, Proposals(wanted)))
    return bool(ranked) and ranked[0][1].per_second > 0


def _table(ranked: list[tuple[Configuration, Capacity]], known: Measured, proposals: Proposals) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("Technique", overflow="fold")
    for title in ("Workers × threads", "Batches", "Wait, ms", "Holds", "95% interval", "Model", "Rounds"):
        table.add_column(title, justify="right")
    for place, (one, capacity) in enumerate(ranked):
        expected = proposals.expected(known, one) if one.variant in known.calls else None
        cells = [
            one.variant.technique,
            f"{one.workers} × {one.variant.threads}",
            str(one.max_batch_size),
            f"{one.max_wait_milliseconds:g}",
            per_second(capacity.per_second),
            interval(capacity),
            expectation(expected, capacity.per_second),
            str(capacity.rounds),
        ]
        table.add_row(*(styled(cell, "bold green" if place == 0 and capacity.per_second > 0 else "") for cell in cells))
    return table
