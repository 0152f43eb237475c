"""Lock files and folders with flock(2). The kernel releases a lock when its holder dies, however it dies.

Some network file systems have no such locks. Then no process is kept out and nothing is cleaned up.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable
from pathlib import Path


def hold(folder: Path) -> int | None:
    """Lock a folder until the returned handle is closed. Return None if the file system has no locks."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError:
        os.close(handle)
        return None
    return handle


def remove_unheld(folders: Iterable[Path]) -> None:
    """Remove the folders that no process has locked, because dead processes left them. The others stay."""
    for folder in folders:
        try:
            handle = os.open(folder, os.O_RDONLY)
        except OSError:
            continue  # it was removed, or belongs to another user
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            pass
        finally:
            os.close(handle)


def lock_file(path: Path, who: str) -> int | None:
    """Lock a file, which is made if it is missing, and write `who` into it. Return None if it cannot be opened.

    Raises:
        BlockingIOError: if another process, or another thread of this one, has locked it.
    """
    try:
        handle = os.open(path, os.O_RDWR if path.exists() else os.O_RDWR | os.O_CREAT, 0o666)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(handle, 0)
        os.pwrite(handle, who.encode(), 0)
    except BlockingIOError:
        os.close(handle)
        raise
    except OSError:
        pass  # the file system has no locks, or the disk is full
    return handle


def close(handle: int | None) -> None:
    """Close a handle of `hold` or `lock_file`, which releases the lock."""
    if handle is not None:
        os.close(handle)
