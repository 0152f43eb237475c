"""Exclusive use: one sweep in a folder, one trial on a core."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from runner.config.paths import OUT
from runner.console import say
from runner.errors import UserError
from runner.isolation.box import is_stopping
from runner.store.locks import close, lock_file
from runner.store.sweep_folder import SweepFolder

CORES = Path("/tmp")  # one place for all users of the machine, whatever their TMPDIR
_LOOK_SECONDS = 0.1
_told = set[str]()  # said once: two sweeps take turns on a core, trial by trial


@contextmanager
def lock_sweep(folder: SweepFolder) -> Iterator[None]:
    """Keep other sweeps out of a sweep's folder, which must exist.

    Raises:
        UserError: if another one runs in it.
    """
    path = folder.lock
    try:
        handle = lock_file(path, f"process {os.getpid()}")
    except BlockingIOError:
        raise UserError(
            f"Another sweep ({path.read_text()}) runs in {folder.path}. Wait until it ends, or name another folder "
            f"with {OUT}"
        ) from None
    try:
        yield
    finally:
        close(handle)


@contextmanager
def lock_cores(cpus: list[int], sweep: Path) -> Iterator[None]:
    """Have these cores to ourselves among all sweeps of this machine; wait for those who use them, and name them.

    Args:
        cpus: taken in ascending order, so that two who want the same ones never wait for each other.
        sweep: our folder, for those who then wait for us.
    """
    with ExitStack() as held:
        for cpu in sorted(cpus):
            held.callback(close, _wait_for(CORES / f"pinbox-core-{cpu}.lock", cpu, f"{sweep}, process {os.getpid()}"))
        yield


def _wait_for(path: Path, cpu: int, who: str) -> int | None:
    while not is_stopping():
        try:
            return lock_file(path, who)
        except BlockingIOError:
            holder = path.read_text()
            if holder not in _told:
                _told.add(holder)
                say(f"Core {cpu} is used by another sweep ({holder}): waiting for our turns on it.")
        time.sleep(_LOOK_SECONDS)
    return None
