"""`pinbox sweep`: run a grid, with Hydra's overrides on top; what `make sweep` calls OUT, FRESH … are its options."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

from runner.config.messages import GROUPS
from runner.config.paths import choices

DEFAULT_GRID = "demo"


def main() -> NoReturn:
    """Run the sweep; the exit code is that of `python -m runner`."""
    arguments = hydra_arguments(sys.argv[1:])
    from runner.__main__ import main as run  # Hydra: not before it is needed

    sys.argv = ["pinbox", *arguments]
    run()


def hydra_arguments(arguments: list[str]) -> list[str]:
    """Return what `python -m runner` is to be told."""
    asked = _parser().parse_intermixed_args(arguments)
    overrides = list(asked.overrides)
    if not any(line.startswith("grid=") for line in overrides):
        overrides.insert(0, f"grid={DEFAULT_GRID}")
    ours = {
        "hydra.sweep.dir": asked.out and _quoted(asked.out),
        "hydra.sweeper.fresh": "true" if asked.fresh else None,
        "hydra.sweeper.retry": asked.retry,
        "hydra/launcher": asked.launcher,
    }
    folder = ["--config-dir", asked.config_dir] if asked.config_dir else []
    return ["-m", *folder, *overrides, *(f"{key}={value}" for key, value in ours.items() if value)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "pinbox sweep",
        description="Run a grid; the same command again goes on where the last one stopped.",
        epilog="\n\n".join(f"{group}:\n  {', '.join(choices(group))}" for group in GROUPS),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="KEY=VALUE",
        help="Hydra's overrides, such as grid=smoke (default: demo), threads=1,2 or technique=onnx; they win over the "
        "grid. The choices of each group are below, those of your own conf/ among them",
    )
    parser.add_argument("--out", metavar="FOLDER", help="where the sweep goes (default: outputs/GRID)")
    parser.add_argument("--fresh", action="store_true", help="move what is there aside, and start anew")
    parser.add_argument("--retry", metavar="failed", help="measure failed trials again")
    parser.add_argument("--launcher", metavar="slurm", help="where trials run (default: here, one after the other)")
    parser.add_argument("--config-dir", metavar="FOLDER", help="one more folder of configs, before conf/")
    return parser


def _quoted(text: str) -> str:
    """Return a text as a value in Hydra's override grammar."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
