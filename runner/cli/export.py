"""`pinbox export`: hand over a measured variant of a collected sweep."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.parameters import ConfigNames, sweep_argument
from runner.errors import printable


@click.command()
@sweep_argument
@click.argument(
    "variant",
    type=ConfigNames("technique"),
    help="A job's key, or its technique, or model/technique, if only one job has it.",
)
@click.argument("to", type=click.Path(path_type=Path), help="The folder to make; it must not exist, or be empty.")
def export(sweep: Path, variant: str, to: Path) -> None:
    """Hand over a measured variant, ready to run."""
    from runner.export.write import export as write_export
    from runner.results.tables import read_tables

    exported = write_export(read_tables(sweep), variant, to)
    print(printable(f"{exported.name}: {exported.row['job']}"))
    print(to / "README.md")
