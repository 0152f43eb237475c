"""`pinbox report`: write report.md and report.html from a sweep's tables."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.parameters import sweep_argument


@click.command()
@sweep_argument
def report(sweep: Path) -> None:
    """Write a sweep's report again, and print its summary."""
    from rich.console import Console

    from runner.report.terminal import print_summary
    from runner.report.write import write_report
    from runner.results.tables import read_tables

    write_report(sweep)
    print_summary(read_tables(sweep), Console())
