"""Read back, from inside, what the box really gives; None for what the kernel does not tell."""

from __future__ import annotations

import os
import platform
import socket
import time
from pathlib import Path
from typing import Any

from runner.machine.cpu import colon_file, cpu_info, instruction_sets
from runner.trial.cgroup import control_group, memory_limit_bytes


def read_back() -> dict[str, Any]:
    """Return affinity, limits, rights and the CPU, as this process sees them."""
    status = colon_file(Path("/proc/self/status"))
    group = control_group("memory") or control_group("cpu")
    return {
        "cpus": sorted(os.sched_getaffinity(0)),
        "cgroup_version": group.version if group is not None else None,
        "memory_limit_bytes": memory_limit_bytes(),
        "cpu_model": cpu_info().get("model name") or platform.processor() or None,
        "instruction_sets": instruction_sets(),
        "kernel": platform.release() or None,
        "python": platform.python_version(),
        "uid": os.getuid(),
        "capabilities": status.get("CapEff"),
        "no_new_privileges": {"0": False, "1": True}.get(status.get("NoNewPrivs", "")),
        "network_interfaces": [name for _, name in socket.if_nameindex()],
        "root_writable": os.access("/", os.W_OK),
    }


def steal_seconds(cpus: list[int], root: Path = Path("/")) -> float | None:
    """Return the seconds that the hypervisor gave these CPUs to others since boot."""
    try:
        lines = [line.split() for line in (root / "proc/stat").read_text().splitlines()]
        ticks = {words[0]: int(words[8]) for words in lines if words and words[0].startswith("cpu")}
        return sum(ticks[f"cpu{cpu}"] for cpu in cpus) / os.sysconf("SC_CLK_TCK")
    except (OSError, LookupError, ValueError):
        return None


def process_start_seconds() -> float:
    """Return when this process was started, on the clock of `time.monotonic` (as near as a tick)."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    since_boot = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return since_boot + time.clock_gettime(time.CLOCK_MONOTONIC) - time.clock_gettime(time.CLOCK_BOOTTIME)


def os_threads() -> int:
    """Return how many threads this process has."""
    return len(list(Path("/proc/self/task").iterdir()))
