"""Locks that the kernel takes back when their holder dies, however it dies: flock(2) on files and folders.

Where a file system has no such locks (some network folders), nobody is kept out and nothing is cleaned up.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable
from pathlib import Path


def hold(folder: Path) -> int | None:
    """Mark a folder as in use until the handle is closed; None where there are no such locks."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError:
        os.close(handle)
        return None
    return handle


def remove_unheld(folders: Iterable[Path]) -> None:
    """Remove the folders that nobody holds: what dead processes left. Those in use, by whomever, stay."""
    for folder in folders:
        try:
            handle = os.open(folder, os.O_RDONLY)
        except OSError:
            continue  # gone, or not ours
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            pass
        finally:
            os.close(handle)


def lock_file(path: Path, who: str) -> int | None:
    """Lock a file, made if need be, and note in it who we are; None where it cannot be locked.

    Raises:
        BlockingIOError: if another process, or another thread of this one, holds it.
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
        pass  # no such locks here, or a full disk
    return handle


def close(handle: int | None) -> None:
    if handle is not None:
        os.close(handle)
