"""`pinbox run`: measure one job once."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from runner.cli.parameters import Override, OverridesCommand


@click.command(cls=OverridesCommand, context_settings={"ignore_unknown_options": True})
@click.argument(
    "arguments",
    nargs=-1,
    type=Override(),
    metavar="KEY=VALUE...",
    help="Hydra's overrides, such as model=tiny task=alice technique=onnx, and its own options, such as --cfg job. "
    "The choices of each group are below, including those of your own conf/.",
)
def run(arguments: Sequence[str]) -> None:
    """Measure one job once."""
    from runner.__main__ import main as run_hydra

    sys.argv = ["pinbox", *arguments]
    run_hydra()
