"""Lock a sweep's folder for one sweep, and a core for one trial."""

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

CORES = Path("/tmp")  # all users of the machine must use the same folder, so TMPDIR does not matter
_POLL_SECONDS = 0.1
_reported = set[str]()  # the sweeps for which a line was printed, because sweeps wait for each other before each trial


@contextmanager
def lock_sweep(folder: SweepFolder) -> Iterator[None]:
    """Keep other sweeps out of a sweep's folder, which must exist.

    Raises:
        UserError: if another sweep runs in the folder.
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
    """Lock cores within the context, so that no other sweep of this machine uses them.

    If another sweep uses a core, print a line with its name and wait for it. The cores are locked in ascending order,
    so that two sweeps that need the same cores never wait for each other. Each core has a second lock, which a sweep
    must hold while it waits for the core. So a sweep that releases a core cannot lock it again before a waiting sweep.

    Args:
        cpus: the numbers of the CPUs.
        sweep: the sweep's folder, which other sweeps show while they wait.
    """
    owner = f"{sweep}, process {os.getpid()}"
    with ExitStack() as locks:
        for cpu in sorted(cpus):
            core = CORES / f"pinbox-core-{cpu}.lock"
            turn = _wait_for(CORES / f"pinbox-core-{cpu}-next.lock", owner, cpu, core)
            try:
                locks.callback(close, _wait_for(core, owner, cpu, core))
            finally:
                close(turn)
        yield


def _wait_for(path: Path, owner: str, cpu: int, core: Path) -> int | None:
    while not is_stopping():
        try:
            return lock_file(path, owner)
        except BlockingIOError:
            user = core.read_text() if core.exists() else ""
            if user and user not in _reported and user != owner:
                _reported.add(user)
                say(f"Core {cpu} is used by another sweep ({user}). Both sweeps take turns on it.")
        time.sleep(_POLL_SECONDS)
    return None
