"""`pinbox image`: build the pinned image that boxes run; docker/image.py does it, as it does for `make image`."""

from __future__ import annotations

import subprocess
import sys

import click

from runner.config.paths import DOCKER


@click.command()
def image() -> int:
    """Build the pinned image that boxes run, unless it is there."""
    return subprocess.run([sys.executable, str(DOCKER / "image.py")]).returncode
