"""A sweep in a process of its own, which is stopped when its time is used up."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence


def run_within(seconds: float, arguments: Sequence[str]) -> int | None:
    """Run a sweep for at most so long, and wait until it has ended.

    Args:
        seconds: the wall time.
        arguments: Hydra's, without the program's name.

    Returns:
        The sweep's exit code; None if its time was used up.

    Raises:
        KeyboardInterrupt: if it was stopped from outside, after the sweep has ended.
    """
    process = subprocess.Popen([sys.executable, "-m", "runner", "-m", *arguments])
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)  # it keeps what it has
        process.wait()
        return None
    except KeyboardInterrupt:
        process.wait()  # it was told, too
        raise
