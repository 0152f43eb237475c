"""`pinbox export`: hand over a measured variant of a collected sweep."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.parameters import ConfigNames, sweep_argument
from runner.errors import printable
from runner.export.layouts.registry import LAYOUTS, PINBOX


@click.command()
@sweep_argument
@click.argument(
    "variant",
    type=ConfigNames("technique"),
    help="A job's key, or its technique, or model/technique, if only one job has it.",
)
@click.argument("to", type=click.Path(path_type=Path), help="The folder to write. It must be missing or empty.")
@click.option(
    "--layout",
    type=click.Choice(list(LAYOUTS)),
    default=PINBOX,
    show_default=True,
    help="What loads the folder: its own script, or the library or server of this name.",
)
@click.option("--service", is_flag=True, help="Write a service too: HTTP, with health, metrics and a Dockerfile.")
def export(sweep: Path, variant: str, to: Path, layout: str, service: bool) -> None:
    """Hand over a measured variant, ready to run."""
    from runner.export.write import export as write_export
    from runner.results.tables import read_tables

    exported = write_export(read_tables(sweep), variant, to, layout, service)
    print(printable(f"{exported.name}: {exported.row['job']}"))
    print(to / "README.md")
