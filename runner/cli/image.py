"""`pinbox image`: build the pinned image that boxes run; docker/image.py does it, as it does for `make image`."""

from __future__ import annotations

import subprocess
import sys

from runner.config.paths import DOCKER


def main() -> int:
    """Build it, unless it is there; return the exit code."""
    return subprocess.run([sys.executable, str(DOCKER / "image.py"), *sys.argv[1:]]).returncode
