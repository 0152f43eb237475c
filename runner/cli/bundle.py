"""`pinbox bundle`: pack a sweep for other people."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.parameters import sweep_argument


@click.command()
@sweep_argument
@click.argument(
    "to", type=click.Path(path_type=Path), help="A folder that is not there yet, or a file that ends in .tar.zst."
)
def bundle(sweep: Path, to: Path) -> None:
    """Pack a collected sweep for others, without private paths."""
    from runner.export.bundle.write import write_bundle
    from runner.results.tables import read_tables

    print(write_bundle(read_tables(sweep), to))
