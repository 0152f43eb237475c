"""`pinbox diff`: say what really differs between two collected sweeps."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.parameters import SweepPath
from runner.diff.fail_on import FAIL_ON


@click.command()
@click.argument("a", type=SweepPath(), help="The sweep to compare with, such as outputs/before.")
@click.argument("b", type=SweepPath(), help="The sweep in question, such as outputs/after.")
@click.option(
    "--fail-on", type=click.Choice(list(FAIL_ON)), default="any", show_default=True, help="What gives exit code 1."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder for diff.html, diff.md, diff.json and diff.parquet (default: B).",
)
def diff(a: Path, b: Path, fail_on: str, out: Path | None) -> int:
    """Say what really differs between two collected sweeps.

    The exit code is 0 if nothing really differs, 1 if something does, 2 if they cannot be compared.
    """
    from rich.console import Console

    from runner.diff.compare import diff as compare
    from runner.diff.compare import exit_code
    from runner.diff.terminal import print_diff
    from runner.diff.write import write_diff
    from runner.results.tables import read_tables

    found = compare(read_tables(a), read_tables(b))
    write_diff(found, out or b, fail_on)
    print_diff(found, fail_on, Console())
    print((out or b) / "diff.html")
    return exit_code(found, fail_on)
