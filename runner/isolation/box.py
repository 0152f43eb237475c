"""Define what a box is: the isolated place in which a trial or a step runs.

Every box runs one of Pinbox's modules on exactly the requested CPUs and reports how the process ended. The module gets
read-only folders, and one writable folder with a `request.json`.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FULL_DISK_BYTES = 64 << 20  # if more than this is free, not the disk but the box's own /tmp was full


@dataclass(frozen=True)
class BoxOrder:
    """What to run in a box.

    Attributes:
        module: the module to run as `python -m module request.json`.
        request: the content of request.json, to which the box adds `paths`.
        inputs: read-only folders or files by name. The names become keys of `paths`.
        output: an empty folder, the only one to which the module can write. The request names it as `paths["output"]`.
        cpus: the numbers of the logical CPUs, one per physical core.
        memory_bytes: the limit of memory and swap together, or None for no limit.
        quota_cpus: the CPU time that the box may use in each period, in CPUs, or None for no quota.
        pids: the limit of processes and threads.
        timeout_seconds: the time after which the box is killed.
        plugin: a read-only folder of the user's own modules that Python can import in the box.
    """

    module: str
    request: dict[str, Any]
    inputs: dict[str, Path]
    output: Path
    cpus: list[int]
    memory_bytes: int | None = None
    quota_cpus: float | None = None
    pids: int = 512
    timeout_seconds: float = 3600.0
    plugin: Path | None = None


@dataclass(frozen=True)
class BoxEnd:
    """How a box ended.

    Attributes:
        exit_code: the exit code of the process.
        out_of_memory: whether a process in the box was killed because the memory limit was reached.
        timed_out: whether the box was killed because it did not end in time.
        log: the output of the process on both streams.
    """

    exit_code: int
    out_of_memory: bool
    timed_out: bool
    log: str

    def check_disk(self, folder: Path) -> None:
        """Check that the box did not fail because the disk of `folder` is full.

        Raises:
            OSError: if the disk is full. Then the code in the box is not at fault.
        """
        message, free = os.strerror(errno.ENOSPC), shutil.disk_usage(folder).free
        if not free or (self.exit_code and message in self.log and free < _FULL_DISK_BYTES):
            raise OSError(errno.ENOSPC, message, str(folder))

    def reason(self, time: str = "isolation.timeout_seconds", memory: str = "isolation.memory") -> str:
        """Return a line for the user: the last line of the process's output, or the reason why it was killed.

        Args:
            time, memory: the keys of the config that limit the time and the memory.
        """
        if self.timed_out:
            return f"did not end in time and was killed ({time})"
        if self.out_of_memory:
            return f"needed more memory than the box has and was killed ({memory})"
        if name := _signal_name(self.exit_code):
            return f"was killed by {name}: {_KILLERS.get(name, 'by the kernel, or from outside')}"
        lines = [line.strip() for line in self.log.splitlines() if line.strip()]
        last = lines[-1] if lines else "it printed nothing"
        is_advice = last.startswith(_USER_ERROR)
        message = last.removeprefix(_USER_ERROR)[:_MAX_ADVICE_CHARACTERS] if is_advice else last[:_MAX_CHARACTERS]
        return f"ended with exit code {self.exit_code}: {message}"


_MAX_CHARACTERS = 300  # the length of a message
_MAX_ADVICE_CHARACTERS = 1000  # the length of one of Pinbox's own messages, which end with advice
_USER_ERROR = "runner.errors.UserError: "  # the beginning of the last line of such a message's traceback
_KILLERS = {
    "SIGSEGV": "the engine, or the system below it, crashed",
    "SIGILL": "the engine uses instructions that this CPU does not have",
    "SIGKILL": "from outside, or by the kernel because memory ran out",
}


def _signal_name(exit_code: int) -> str | None:
    """Return the name of the signal in an exit code of Python (-n) or of a shell (128 + n), or None."""
    number = -exit_code if exit_code < 0 else exit_code - 128
    return signal.Signals(number).name if number in set(signal.Signals) else None


class Box(ABC):
    """A kind of box."""

    kind: str
    image_id: str | None = None
    base_id: str | None = None

    @abstractmethod
    def run(self, order: BoxOrder) -> BoxEnd:
        """Run the order to its end. Afterwards no part of the box is left, even if an error is raised."""

    @abstractmethod
    def memory_limit(self, memory_bytes: int) -> int | None:
        """Return the memory limit if this kind of box can enforce it, or else None."""


_stopping = threading.Event()
_running: dict[int, Callable[[], None]] = {}  # for each thread's number, a function that kills the thread's box


@contextmanager
def stoppable(kill: Callable[[], None]) -> Iterator[None]:
    """Let `stop` and `stop_all` kill a box within the context. Kill it at once if `stop_all` was called before."""
    _running[threading.get_ident()] = kill
    try:
        if is_stopping():
            kill()
        yield
    finally:
        del _running[threading.get_ident()]


def stop(thread: threading.Thread) -> None:
    """Kill the box for which a thread waits, if there is one."""
    kill = _running.get(thread.ident or 0)
    if kill is not None:
        kill()


def is_stopping() -> bool:
    """Return whether `stop_all` was called. If it was, boxes may have ended because they were killed."""
    return _stopping.is_set()


def stop_all() -> None:
    """Kill the boxes for which other threads of this process wait, because the process is about to end."""
    _stopping.set()
    for kill in list(_running.values()):
        kill()


def write_request(order: BoxOrder, paths: dict[str, str]) -> Path:
    """Write `request.json` with these paths, as they are inside the box, into the output folder."""
    path = order.output / "request.json"
    path.write_text(json.dumps(order.request | {"paths": paths}))
    path.chmod(0o644)
    return path


def environment(threads: int) -> dict[str, str]:
    """Return the environment variables that every kind of box sets."""
    return {
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "TOKENIZERS_PARALLELISM": "false",
        "ORT_DISABLE_TELEMETRY": "1",  # saves a thread
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        "PYTHONHASHSEED": "0",
        "PYTHONUNBUFFERED": "1",
        "LC_ALL": "C.UTF-8",
    }
