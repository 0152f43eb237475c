"""A diff on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from runner.console import styled
from runner.diff import messages
from runner.diff.change import ACCURACY, DISK, LATENCY, LOAD, MEMORY, PREDICTIONS, RATIO, RULE, Change
from runner.diff.compare import Compared, Diff, exit_code

_NARROW_WIDTH = 100  # columns of the terminal below which the narrow set is shown
_NARROW = (RATIO, MEMORY, ACCURACY, PREDICTIONS)
_WIDE = (RATIO, LATENCY, MEMORY, DISK, LOAD, ACCURACY, PREDICTIONS)
_HEADS = {"latency_ratio": "Latency", "latency": "Raw", "memory": "Memory", "predictions": "Changed"}
_REAL, _NOISE = "yellow", "bright_black"
_MAX_JOBS = 60  # that really changed, and in the table of all


def print_diff(found: Diff, fail_on: str, console: Console) -> None:
    """Print what must be known first, what differs around, what really changed, and every job's changes."""
    for warning in found.warnings:
        console.print(styled(warning, "bold red"))
    console.print(styled(f"A: {messages.sweep_line(found.a)}"))
    console.print(styled(f"B: {messages.sweep_line(found.b)}"))
    console.print()
    console.print(_environment(found))
    console.print()
    _print_real(found, console)
    if found.compared:
        console.print(_jobs(found, console.width))
        _print_hidden(len(found.compared), console)
        console.print(styled("Latency is against each side's own baseline. Raw latency has the machine's speed in it."))
        console.print()
    name = messages.namer(found)
    for side, jobs in (("A", found.only_a), ("B", found.only_b)):
        if jobs:
            console.print(styled(f"Only in {side}:", "bold"))
        for job in jobs[:_MAX_JOBS]:
            console.print(styled(f"  {name(job)}"))
        _print_hidden(len(jobs), console)
    for note in messages.notes(found):
        console.print(styled(note))
    if found.compared:
        console.print(styled(RULE, _NOISE))
    console.print(styled(messages.conclusion(found, fail_on, exit_code(found, fail_on)), "bold"))


def _environment(found: Diff) -> Table | Text:
    if not found.environment:
        return styled("Environment: nothing differs.")
    table = Table(title=styled("Environment"), title_justify="left", box=None, pad_edge=False)
    for title in ("Differs", "A", "B"):
        table.add_column(title, overflow="fold")
    for one in found.environment:
        table.add_row(*map(styled, (one.name, *one.shown)))
    return table


def _print_real(found: Diff, console: Console) -> None:
    name = messages.namer(found)
    for one in found.real[:_MAX_JOBS]:
        console.print(styled(name(one.pair.b), "bold"))
        for change in one.real:
            console.print(styled(f"  {messages.sentence(change)}", _REAL))
    _print_hidden(len(found.real), console)
    if found.real:
        console.print()


def _print_hidden(number: int, console: Console) -> None:
    if number > _MAX_JOBS:
        console.print(styled(f"… and {number - _MAX_JOBS:,} more: diff.md and diff.parquet have all."))


def _jobs(found: Diff, width: int) -> Table:
    wide = width >= _NARROW_WIDTH
    measures = _WIDE if wide else _NARROW
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
    name = messages.namer(found)
    for one in found.compared[:_MAX_JOBS]:
        cells = [_cell(one.change(measure.name), wide and measure is RATIO) for measure in measures]
        table.add_row(styled(name(one.pair.b)), *cells, _verdict(one))
    return table


def _cell(change: Change | None, with_interval: bool) -> Text:
    shown = messages.cell(change, with_interval).replace(" points", "").replace(" to ", "…")
    return styled(shown, _REAL if change is not None and change.real else _NOISE)


def _verdict(one: Compared) -> Text:
    directions = dict.fromkeys(change.direction for change in one.real)
    return styled(", ".join(directions), _REAL) if directions else styled("no", _NOISE)
