"""`pinbox image`: build or pull the pinned image that boxes run, with docker/image.py as `make image` does."""

from __future__ import annotations

import subprocess
import sys

import click

from runner.config.paths import DOCKER


@click.command()
@click.option("--pull", is_flag=True, help="Pull the published image. Build it only if that is not possible.")
@click.option("--repository", metavar="HOST/NAME", help="With --pull: take it from this repository, such as a mirror.")
@click.option(
    "--signers",
    type=click.Path(),
    help="With --pull: the file with the keys of allowed signers; see `man ssh-keygen`.",
)
def image(pull: bool, repository: str | None, signers: str | None) -> int:
    """Build or pull the image that boxes run, unless it is there."""
    options = ["--pull"] if pull else []
    options += ["--repository", repository] if repository else []
    options += ["--signers", signers] if signers else []
    return subprocess.run([sys.executable, str(DOCKER / "image.py"), *options]).returncode
