"""`pinbox sweep`: run a grid."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from runner.cli.parameters import ConfigNames, Override, OverridesCommand
from runner.config.overrides import quoted

DEFAULT_GRID = "demo"


@click.command(cls=OverridesCommand)
@click.argument(
    "overrides",
    nargs=-1,
    type=Override(),
    metavar="[KEY=VALUE]...",
    help=f"Hydra's overrides, such as grid=smoke (default: {DEFAULT_GRID}), threads=1,2 or technique=onnx. They win "
    "over the grid. The choices of each group are below, those of your own conf/ among them.",
)
@click.option("--out", metavar="FOLDER", help="Where the sweep goes (default: outputs/GRID).")
@click.option("--fresh", is_flag=True, help="Move what is there aside, and start from the beginning.")
@click.option("--retry", type=click.Choice(["failed"]), help="Measure failed trials again.")
@click.option(
    "--launcher",
    metavar="NAME",
    type=ConfigNames("hydra/launcher"),
    help="Where trials run, such as slurm (default: here, one after the other).",
)
@click.option("--config-dir", metavar="FOLDER", help="One more folder of configs, before conf/.")
def sweep(
    overrides: Sequence[str],
    out: str | None,
    fresh: bool,
    retry: str | None,
    launcher: str | None,
    config_dir: str | None,
) -> None:
    """Run a grid. The same command again goes on where the last one stopped."""
    from runner.__main__ import main as run_hydra

    settings = {
        "hydra.sweep.dir": quoted(out) if out else None,
        "hydra.sweeper.fresh": "true" if fresh else None,
        "hydra.sweeper.retry": retry,
        "hydra/launcher": launcher,
    }
    folder = ["--config-dir", config_dir] if config_dir else []
    grid = [] if any(text.startswith("grid=") for text in overrides) else [f"grid={DEFAULT_GRID}"]
    ours = [f"{key}={value}" for key, value in settings.items() if value]
    sys.argv = ["pinbox", "-m", *folder, *grid, *overrides, *ours]
    run_hydra()
