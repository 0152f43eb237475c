"""`pinbox init`: write a commented example of a user's own conf/ and code, which runs without a change."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.init.write import write_example
from runner.cli.parameters import program


@click.command()
@click.argument(
    "folder", type=click.Path(path_type=Path), default=Path(), help="Where to write it (default: the current folder)."
)
@click.option("--code", is_flag=True, help="Write a step, an engine, a task and a metric, too.")
def init(folder: Path, code: bool) -> None:
    """Write a commented example of your own conf/, to start from."""
    for path in write_example(folder, code):
        print(path)
    there = f"cd {folder} && " if folder != Path() else ""
    print(f"It runs as it is: {there}{program()} sweep grid={'own-code' if code else 'mine'}")
