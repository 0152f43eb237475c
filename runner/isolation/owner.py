"""Label a box with the process that made it, and check later whether that process still runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

_BOOT, _NAMESPACE, _PID, _START = (f"org.pinbox.{what}" for what in ("boot", "pid-namespace", "pid", "start"))


def owner_labels(pid: int | None = None) -> dict[str, str]:
    """Return the labels of boxes that a process (by default, this one) makes: the boot, the pid and its start time."""
    pid = pid or os.getpid()
    return {
        _BOOT: _boot_id(),
        _NAMESPACE: _namespace(),
        _PID: str(pid),
        _START: _start_ticks(pid) or "",
    }


def is_running(labels: Mapping[str, str]) -> bool:
    """Return whether the process of the labels still runs, or may run in another container, which hides it."""
    if labels.get(_BOOT) != _boot_id():
        return False
    if labels.get(_NAMESPACE, _namespace()) != _namespace():
        return True
    return _start_ticks(int(labels.get(_PID, "0"))) == labels.get(_START)


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _namespace() -> str:
    return str(Path("/proc/self/ns/pid").readlink())


def _start_ticks(pid: int) -> str | None:
    """Return a process's start time, field 22 of /proc/PID/stat, which differs if the pid was reused."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return None
