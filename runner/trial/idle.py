"""Wait until the threads of this process are idle.

After a call, the threads of an engine's pool spin for some time, waiting for the next call. While they spin, they take
the CPUs from the other box of a pair that takes turns (runner/trial/turns.py).
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

LIMIT_SECONDS = 0.25  # OpenMP runtimes spin for 0.2 seconds at most, unless a setting makes them spin forever
_LOOK_SECONDS = 0.001
_SPINNING = 0.2  # a share of CPU time; a spinning thread uses all of the time, and the check itself a few hundredths


def wait_until_idle(limit_seconds: float = LIMIT_SECONDS) -> bool:
    """Wait until no thread of this process runs, and return whether that happened within the limit.

    The process is idle when its CPU clock stood still during a short sleep, and the kernel then shows no thread as
    runnable. The second check is for CPUs with other work, where a spinning thread may have to wait for a CPU.
    """
    deadline = time.perf_counter() + limit_seconds
    while True:
        before = time.process_time()
        time.sleep(_LOOK_SECONDS)
        if time.process_time() - before < _SPINNING * _LOOK_SECONDS and not _others_are_runnable():
            return True
        if time.perf_counter() > deadline:
            return False


def _others_are_runnable() -> bool:
    """Return whether the kernel shows another thread of this process as running, or as waiting for a CPU."""
    this = str(threading.get_native_id())
    return any(_state(thread) == b"R" for thread in Path("/proc/self/task").iterdir() if thread.name != this)


def _state(thread: Path) -> bytes:
    """Return the state of a thread as in `man 5 proc`. Return nothing if the thread has ended."""
    try:
        return (thread / "stat").read_bytes().rpartition(b") ")[2][:1]
    except OSError:
        return b""
