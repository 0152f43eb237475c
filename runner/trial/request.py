"""The request that a process in a box is given, and how that process ends.

A module that runs in a box is started as `python -m MODULE request.json`. It reads settings and paths from that file,
and writes what it made into the folder `output`.
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
    """Call `main`, and end the process at once: it would take a second or more to take torch apart."""
    main()
    sys.stdout.flush()
    os._exit(0)


def atomic_write(path: Path, text: str) -> None:
    """Write a file so that it has its name only when it is whole."""
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.write_text(text)
    unfinished.rename(path)
