"""A diff on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from runner.console import styled
from runner.diff import messages
from runner.diff.change import (
    CAPACITY,
    CAPACITY_RATIO,
    DISK,
    LATENCY,
    LOAD,
    MEMORY,
    PREDICTIONS,
    RATIO,
    RULE,
    SCORE,
    Change,
)
from runner.diff.compare import Compared, Diff, exit_code

_NARROW_WIDTH = 100  # columns of the terminal below which the narrow set is shown
_NARROW = (RATIO, CAPACITY_RATIO, MEMORY, SCORE, PREDICTIONS)
_WIDE = (RATIO, LATENCY, CAPACITY_RATIO, CAPACITY, MEMORY, DISK, LOAD, SCORE, PREDICTIONS)
_HEADS = {"latency_ratio": "Latency", "latency": "Raw", "memory": "Memory", "predictions": "Changed"}
_HEADS |= {"capacity_ratio": "Capacity", "capacity": "Raw capacity"}
_REAL, _NOISE = "yellow", "bright_black"
_MAX_JOBS = 60  # that really changed, and in the table of all


def print_diff(comparison: Diff, fail_on: str, console: Console) -> None:
    """Print the warnings, the differences of the environment, the real changes, and the changes of every job."""
    for warning in comparison.warnings:
        console.print(styled(warning, "bold red"))
    console.print(styled(f"A: {messages.sweep_line(comparison.a)}"))
    console.print(styled(f"B: {messages.sweep_line(comparison.b)}"))
    console.print()
    console.print(_environment(comparison))
    console.print()
    _print_real(comparison, console)
    if comparison.compared:
        console.print(_jobs(comparison, console.width))
        _print_hidden(len(comparison.compared), console)
        console.print(styled("Latency is against each side's own baseline. Raw latency includes the machine's speed."))
        console.print()
    name = messages.namer(comparison)
    for side, jobs in (("A", comparison.only_a), ("B", comparison.only_b)):
        if jobs:
            console.print(styled(f"Only in {side}:", "bold"))
        for job in jobs[:_MAX_JOBS]:
            console.print(styled(f"  {name(job)}"))
        _print_hidden(len(jobs), console)
    for note in messages.notes(comparison):
        console.print(styled(note))
    if comparison.compared:
        console.print(styled(RULE, _NOISE))
    console.print(styled(messages.conclusion(comparison, fail_on, exit_code(comparison, fail_on)), "bold"))


def _environment(comparison: Diff) -> Table | Text:
    if not comparison.environment:
        return styled("Environment: nothing differs.")
    table = Table(title=styled("Environment"), title_justify="left", box=None, pad_edge=False)
    for title in ("Differs", "A", "B"):
        table.add_column(title, overflow="fold")
    for difference in comparison.environment:
        table.add_row(*map(styled, (difference.name, *difference.shown)))
    return table


def _print_real(comparison: Diff, console: Console) -> None:
    name = messages.namer(comparison)
    for job in comparison.real[:_MAX_JOBS]:
        console.print(styled(name(job.pair.b), "bold"))
        for change in job.real:
            console.print(styled(f"  {messages.sentence(change)}", _REAL))
    _print_hidden(len(comparison.real), console)
    if comparison.real:
        console.print()


def _print_hidden(number: int, console: Console) -> None:
    if number > _MAX_JOBS:
        console.print(styled(f"… and {number - _MAX_JOBS:,} more: diff.md and diff.parquet have all."))


def _jobs(comparison: Diff, width: int) -> Table:
    wide = width >= _NARROW_WIDTH
    measures = messages.shown(_WIDE if wide else _NARROW, comparison)
    table = Table(
        title=styled("B against A"),
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    table.add_column("Job", overflow="fold")
    for measure in measures:
        table.add_column(_HEADS.get(measure.name, measure.title), justify="right", no_wrap=True)
    table.add_column("Real")
    name = messages.namer(comparison)
    for job in comparison.compared[:_MAX_JOBS]:
        cells = [_cell(job.change(measure.name), wide and measure is RATIO) for measure in measures]
        table.add_row(styled(name(job.pair.b)), *cells, _verdict(job))
    return table


def _cell(change: Change | None, with_interval: bool) -> Text:
    shown = messages.cell(change, with_interval).replace(" points", "").replace(" to ", "…")
    return styled(shown, _REAL if change is not None and change.real else _NOISE)


def _verdict(job: Compared) -> Text:
    directions = dict.fromkeys(change.direction for change in job.real)
    return styled(", ".join(directions), _REAL) if directions else styled("no", _NOISE)
