"""Print sections on a terminal of 80 columns or more."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from runner.cli.doctor.fact import Section

_NAME_WIDTH = 14


def print_section(section: Section, console: Console) -> None:
    """Print the facts in two columns, with the advice below its fact."""
    table = Table.grid(padding=(0, 2))
    table.add_column(width=_NAME_WIDTH)
    table.add_column(overflow="fold")
    for fact in section.facts:
        table.add_row(Text(fact.name), Text(fact.value))
        if fact.advice:
            table.add_row("", Text(f"→ {fact.advice}", "yellow"))
    console.print(Text(section.title, "bold"))
    console.print(table)
    console.print()
