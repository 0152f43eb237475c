"""Boxes: the isolated place that a trial (or a step) runs in.

Every box does the same: it gives a module of ours some read-only folders, one writable folder and a `request.json`
in it, on exactly the CPUs asked for, and reports how the process ended.
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

_NO_ROOM_BYTES = 64 << 20  # with more than that left, it was the box's own /tmp that was full


@dataclass(frozen=True)
class BoxOrder:
    """What to run in a box.

    Attributes:
        module: run as `python -m module request.json`.
        request: what the module is told; the box adds `paths`.
        inputs: read-only folders or files by name; names become keys of `paths`.
        output: an empty folder, `paths["output"]` of the request; the only place the module can write to.
        cpus: numbers of the logical CPUs, one per physical core.
        memory_bytes: limit with swap included, None for no limit.
        pids: limit of processes and threads.
        timeout_seconds: after this the box is killed.
        plugin: a folder of the user's own modules, read-only, that Python searches in the box.
    """

    module: str
    request: dict[str, Any]
    inputs: dict[str, Path]
    output: Path
    cpus: list[int]
    memory_bytes: int | None = None
    pids: int = 512
    timeout_seconds: float = 3600.0
    plugin: Path | None = None


@dataclass(frozen=True)
class BoxEnd:
    """How a box ended: `log` is what its process printed, both streams."""

    exit_code: int
    out_of_memory: bool
    timed_out: bool
    log: str

    def check_disk(self, folder: Path) -> None:
        """Check that the box did not fail for want of room in a folder of ours.

        Raises:
            OSError: if it did; that is no fault of what ran in it.
        """
        no_room, free = os.strerror(errno.ENOSPC), shutil.disk_usage(folder).free
        if not free or (self.exit_code and no_room in self.log and free < _NO_ROOM_BYTES):
            raise OSError(errno.ENOSPC, no_room, str(folder))

    def reason(self, time: str = "isolation.timeout_seconds", memory: str = "isolation.memory") -> str:
        """Return one line for people: the last thing that the process said, or how it was ended.

        Args:
            time, memory: the keys of the config that limited these, or what did.
        """
        if self.timed_out:
            return f"did not end in time and was killed ({time})"
        if self.out_of_memory:
            return f"needed more memory than the box has and was killed ({memory})"
        if name := _signal_name(self.exit_code):
            return f"was killed by {name}: {_KILLERS.get(name, 'by the kernel, or from outside')}"
        lines = [line.strip() for line in self.log.splitlines() if line.strip()]
        last = lines[-1] if lines else "it printed nothing"
        said = last.removeprefix(_FOR_PEOPLE)[:_LONGEST_ADVICE] if last.startswith(_FOR_PEOPLE) else last[:_LONGEST]
        return f"ended with exit code {self.exit_code}: {said}"


_LONGEST, _LONGEST_ADVICE = 300, 1000  # characters of what a process said; a message of ours ends with what to do
_FOR_PEOPLE = "runner.errors.UserError: "  # as Python ends the trace of an error that needs none
_KILLERS = {
    "SIGSEGV": "the engine, or the system below it, crashed",
    "SIGILL": "the engine uses instructions that this CPU has not",
    "SIGKILL": "from outside, or by the kernel for want of memory",
}


def _signal_name(exit_code: int) -> str | None:
    """Return the signal that ended a process, as Python (-n) and shells (128 + n) code it; None if it was none."""
    number = -exit_code if exit_code < 0 else exit_code - 128
    return signal.Signals(number).name if number in set(signal.Signals) else None


class Box(ABC):
    """A kind of box."""

    kind: str
    image_id: str | None = None
    base_id: str | None = None

    @abstractmethod
    def run(self, order: BoxOrder) -> BoxEnd:
        """Run the order to its end; nothing of the box is left behind, however it ends."""

    @abstractmethod
    def memory_limit(self, memory_bytes: int) -> int | None:
        """Return the limit that this kind can enforce for the asked one: the same, or None."""


_stopping = threading.Event()
_running: dict[int, Callable[[], None]] = {}  # how to kill the box that a thread, by its number, waits for


@contextmanager
def stoppable(kill: Callable[[], None]) -> Iterator[None]:
    """Let `stop` and `stop_all` end a box for as long as this lasts."""
    _running[threading.get_ident()] = kill
    try:
        yield
    finally:
        del _running[threading.get_ident()]


def stop(thread: threading.Thread) -> None:
    """Kill the box that a thread waits for, if it does."""
    kill = _running.get(thread.ident or 0)
    if kill is not None:
        kill()


def is_stopping() -> bool:
    """Return whether `stop_all` was called: a box that ended since then may not have ended by itself."""
    return _stopping.is_set()


def stop_all() -> None:
    """Kill the boxes that other threads of this process are waiting for; this process is about to end."""
    _stopping.set()
    for kill in list(_running.values()):
        kill()


def write_request(order: BoxOrder, paths: dict[str, str]) -> Path:
    """Write `request.json` with the given in-box paths into the output folder."""
    path = order.output / "request.json"
    path.write_text(json.dumps(order.request | {"paths": paths}))
    path.chmod(0o644)
    return path


def environment(threads: int) -> dict[str, str]:
    """Return the environment variables that every box sets, whatever its kind."""
    return {
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "TOKENIZERS_PARALLELISM": "false",
        "ORT_DISABLE_TELEMETRY": "1",  # saves a thread
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "LC_ALL": "C.UTF-8",
    }
