"""`pinbox sweep`: run a grid."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from runner.cli.parameters import ConfigNames, Override, OverridesCommand
from runner.config.overrides import quoted
from runner.errors import UserError

_WITHOUT_GRID = "outputs/sweep"


@click.command(cls=OverridesCommand)
@click.argument(
    "overrides",
    nargs=-1,
    type=Override(),
    metavar="[KEY=VALUE]...",
    help="Hydra's overrides, such as grid=smoke, threads=1,2 or technique=onnx. They override the grid. Without a "
    "grid, all their combinations are run. The choices of each group are below, including those of your own conf/.",
)
@click.option("--out", metavar="FOLDER", help=f"Folder of the sweep (default: outputs/GRID, or {_WITHOUT_GRID}).")
@click.option("--fresh", is_flag=True, help="Rename the old folder, and start from the beginning.")
@click.option("--retry", type=click.Choice(["failed"]), help="Measure failed trials again.")
@click.option(
    "--launcher",
    metavar="NAME",
    type=ConfigNames("hydra/launcher"),
    help="Where trials run, such as slurm (default: here, one after the other).",
)
@click.option("--config-dir", metavar="FOLDER", help="One more folder of configs, after conf/.")
def sweep(
    overrides: Sequence[str],
    out: str | None,
    fresh: bool,
    retry: str | None,
    launcher: str | None,
    config_dir: str | None,
) -> None:
    """Run a grid. The same command continues an interrupted sweep."""
    from runner.__main__ import main as run_hydra

    if not overrides:
        raise UserError(
            "There is nothing to measure. Name a grid, such as grid=demo, or values to combine, such as "
            "model=minilm-l6 technique=torch-eager,onnx. For a model of your own without any YAML: pinbox try MODEL."
        )
    folder_of_sweep = out or (None if any(text.startswith("grid=") for text in overrides) else _WITHOUT_GRID)
    settings = {
        "hydra.sweep.dir": quoted(folder_of_sweep) if folder_of_sweep else None,
        "hydra.sweeper.fresh": "true" if fresh else None,
        "hydra.sweeper.retry": retry,
        "hydra/launcher": launcher,
    }
    folder = ["--config-dir", config_dir] if config_dir else []
    ours = [f"{key}={value}" for key, value in settings.items() if value]
    sys.argv = ["pinbox", "-m", *folder, *overrides, *ours]
    run_hydra()
