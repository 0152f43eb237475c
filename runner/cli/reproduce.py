"""`pinbox reproduce`: run a recorded sweep again, and say how its results differ."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.parameters import sweep_argument


@click.command()
@sweep_argument
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the new sweep (default: SWEEP.reproduced).")
@click.option("--rebuild", is_flag=True, help="Make every artifact again, in a separate store.")
def reproduce(sweep: Path, out: Path | None, rebuild: bool) -> int:
    """Run a recorded sweep again, and compare the results.

    The exit code is that of diff: 0 if nothing really differs, 1 if something does, 2 if the two cannot be compared.
    """
    from runner.sweep.reproduce.run import reproduce as run_again

    return run_again(sweep, out or sweep.with_name(f"{sweep.name}.reproduced"), rebuild)
