"""Who made a box: enough to tell later, on the same machine, whether its maker still runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

_BOOT, _NAMESPACE, _PID, _START = (f"org.pinbox.{what}" for what in ("boot", "pid-namespace", "pid", "start"))


def owner_labels(pid: int | None = None) -> dict[str, str]:
    """Return the labels of boxes made by a process, or by this one: the machine's boot, the pid, and when it began."""
    pid = pid or os.getpid()
    return {
        _BOOT: _boot_id(),
        _NAMESPACE: _namespace(),
        _PID: str(pid),
        _START: _start_ticks(pid) or "",
    }


def is_running(labels: Mapping[str, str]) -> bool:
    """Return whether the process that these labels name still runs, or may: in another container we cannot see it."""
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
    """Return field 22 of /proc/PID/stat; a reused pid has another."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return None
