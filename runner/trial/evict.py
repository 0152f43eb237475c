"""Evict from the page cache all files that a trial reads: `python -m runner.trial.evict REQUEST`, inside its box.

These are the artifact, the inputs, Python and all installed packages. The next process in such a box then starts as on
a machine that has just booted. Pages that a running process has mapped stay in the page cache: for this process, these
are the pages of Python itself and of its C library.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from contextlib import suppress
from pathlib import Path

from runner.trial.request import read_request, run


def main() -> None:
    """Read the request, and evict the files below its paths, and those of Python."""
    _, paths = read_request()
    os.sync()  # pages that have not been written yet cannot be evicted
    python = {Path(sys.prefix), Path(sysconfig.get_path("stdlib")), Path(__file__).parents[1]}
    for folder in {paths["artifact"], paths["inputs"], *python}:
        evict(folder)


def evict(folder: Path) -> None:
    """Evict all files below a folder that this process may read. The trial cannot read the other files, either."""
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError), open(Path(parent, name), "rb", buffering=0, opener=_without_waiting) as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a named pipe would wait for its other end


if __name__ == "__main__":
    run(main)
