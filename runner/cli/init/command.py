"""`pinbox init`: write a commented example of one's own conf/ and code, which runs as it is."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click

from runner.cli.init.write import write_example


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
    pinbox = "pinbox" if shutil.which("pinbox") else Path(sys.executable).with_name("pinbox")
    print(f"It runs as it is: {there}{pinbox} sweep grid={'own-code' if code else 'mine'}")
