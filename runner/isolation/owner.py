"""Who made a box: enough to tell later, on the same machine, whether its maker still runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

_BOOT, _PID, _START = "org.pinbox.boot", "org.pinbox.pid", "org.pinbox.start"


def owner_labels() -> dict[str, str]:
    """Return the labels of boxes made by this process: the machine's boot, the pid, and when the process began."""
    return {_BOOT: _boot_id(), _PID: str(os.getpid()), _START: _start_ticks(os.getpid()) or ""}


def is_running(labels: Mapping[str, str]) -> bool:
    """Return whether the process that these labels name still runs."""
    return labels.get(_BOOT) == _boot_id() and _start_ticks(int(labels.get(_PID, "0"))) == labels.get(_START)


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _start_ticks(pid: int) -> str | None:
    """Return field 22 of /proc/PID/stat; a reused pid has another."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return None
