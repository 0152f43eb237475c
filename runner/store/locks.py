"""Lock files and folders with flock(2). The kernel releases a lock when the process that has it dies.

Some network file systems have no such locks. Then no process is kept out and nothing is cleaned up.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable
from pathlib import Path


def lock_folder(folder: Path) -> int | None:
    """Lock a folder until the returned handle is closed. Return None if the file system has no locks."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError:
        os.close(handle)
        return None
    return handle


def remove_unlocked(folders: Iterable[Path]) -> None:
    """Remove the folders that no process has locked, because dead processes left them. Keep the other folders."""
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


def lock_file(path: Path, owner: str) -> int | None:
    """Lock a file, which is made if it is missing, and write `owner` into it. Return None if it cannot be opened.

    Raises:
        BlockingIOError: if another process, or another thread of this process, has locked the file.
    """
    try:
        handle = os.open(path, os.O_RDWR if path.exists() else os.O_RDWR | os.O_CREAT, 0o666)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(handle, 0)
        os.pwrite(handle, owner.encode(), 0)
    except BlockingIOError:
        os.close(handle)
        raise
    except OSError:
        pass  # the file system has no locks, or the disk is full
    return handle


def close(handle: int | None) -> None:
    """Close a handle of `lock_folder` or `lock_file`, which releases the lock."""
    if handle is not None:
        os.close(handle)
