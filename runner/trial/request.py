"""Read the request of a process in a box, and end that process.

A module that runs in a box is started as `python -m MODULE request.json`. It reads settings and paths from that file,
and writes its results into the folder `output`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Settings = dict[str, Any]
Paths = dict[str, Path]


def read_request() -> tuple[Settings, Paths]:
    """Return the settings of the request that the command line names, and its paths by their names."""
    settings = json.loads(Path(sys.argv[1]).read_text())
    return settings, {name: Path(path) for name, path in settings["paths"].items()}


def run(main: Callable[[], None]) -> None:
    """Call `main`, and end the process at once, because a normal exit of torch takes a second or more."""
    main()
    sys.stdout.flush()
    os._exit(0)


def atomic_write(path: Path, text: str) -> None:
    """Write a file under a temporary name, and rename it when it is complete."""
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.write_text(text)
    unfinished.rename(path)
