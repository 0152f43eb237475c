"""`python -m runner` for the load tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

_ROOT = Path(__file__).parents[2]
# As the command does, but for the locks of the cores: nothing worth keeping is measured here, so it does not wait for
# those who measure, nor keep them waiting.
_CODE = """
import os, pathlib, runner.__main__, runner.isolation.exclusive
runner.isolation.exclusive.CORES = pathlib.Path(os.environ["CORES"])
runner.__main__.main()
"""


def start(place: Path, *arguments: str, err: IO[Any] | int | None = None) -> subprocess.Popen[str]:
    """Start a sweep; its temporary files go to `tmp` in `place`, its store is `store` there.

    Args:
        place: an existing folder.
        arguments: of the command.
        err: where what it says goes.
    """
    (place / "tmp").mkdir(exist_ok=True)
    environment = os.environ | {"TMPDIR": str(place / "tmp"), "CORES": str(place)}
    command = [sys.executable, "-c", _CODE, "-m", *arguments, f"store={place / 'store'}"]
    return subprocess.Popen(command, cwd=_ROOT, env=environment, text=True, stdout=subprocess.DEVNULL, stderr=err)
