"""Run a sweep in a separate process, which is stopped when its time is used up."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence


def run_within(seconds: float, arguments: Sequence[str]) -> int | None:
    """Run a sweep within a time limit, and wait until it has ended.

    Args:
        seconds: the limit of wall time.
        arguments: Hydra's arguments without the program's name.

    Returns:
        The sweep's exit code, or None if its time was used up.

    Raises:
        KeyboardInterrupt: if it was stopped from outside. It is raised after the sweep has ended.
    """
    process = subprocess.Popen([sys.executable, "-m", "runner", "-m", *arguments])
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)  # the sweep keeps its results
        process.wait()
        return None
    except KeyboardInterrupt:
        process.wait()  # the sweep got the signal, too
        raise
