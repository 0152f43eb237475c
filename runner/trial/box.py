"""Read back, from inside, what the box really gives. Control groups of both versions are understood."""

from __future__ import annotations

import os
import platform
import socket
import time
from pathlib import Path
from typing import Any

_CGROUP = Path("/sys/fs/cgroup")
INSTRUCTION_SETS = ("avx2", "fma", "f16c", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
_UNLIMITED = 1 << 60  # version 1 says "no limit" by a number near 2**63


def read_back() -> dict[str, Any]:
    """Return affinity, limits, rights and the CPU, as this process sees them."""
    cpu = _cpu_info()
    status = _colon_file(Path("/proc/self/status"))
    return {
        "cpus": sorted(os.sched_getaffinity(0)),
        "cgroup_version": cgroup_version(),
        "memory_limit_bytes": memory_limit_bytes(),
        "cpu_model": cpu.get("model name", platform.processor()),
        "instruction_sets": instruction_sets(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "uid": os.getuid(),
        "capabilities": status.get("CapEff", ""),
        "no_new_privileges": status.get("NoNewPrivs") == "1",
        "network_interfaces": [name for _, name in socket.if_nameindex()],
        "root_writable": os.access("/", os.W_OK),
    }


def instruction_sets() -> list[str]:
    """Return what the CPU has of the instruction sets that kernels are chosen by, as the kernel names them."""
    cpu = _cpu_info()
    flags = cpu.get("flags", cpu.get("Features", "")).split()
    return [name for name in INSTRUCTION_SETS if name in flags]


def cgroup_version() -> int:
    """Return 1 or 2."""
    return 2 if (_CGROUP / "cgroup.controllers").exists() else 1


def memory_limit_bytes() -> int | None:
    """Return the control group's limit, None for no limit."""
    name = "memory.max" if cgroup_version() == 2 else "memory/memory.limit_in_bytes"
    value = _number(_CGROUP / name)
    return value if value is not None and value < _UNLIMITED else None


def box_peak_bytes() -> int | None:
    """Return the control group's peak, which counts page cache too; None where the kernel does not say."""
    name = "memory.peak" if cgroup_version() == 2 else "memory/memory.max_usage_in_bytes"
    return _number(_CGROUP / name)


def throttled_periods() -> int:
    """Return how often this control group was stopped for having used up its CPU quota."""
    name = "cpu.stat" if cgroup_version() == 2 else "cpu/cpu.stat"
    return int(_space_file(_CGROUP / name).get("nr_throttled", "0"))


def steal_seconds(cpus: list[int]) -> float:
    """Return the seconds that the hypervisor gave these CPUs to others since boot."""
    lines = _space_file(Path("/proc/stat"))
    ticks = sum(int(lines[f"cpu{cpu}"].split()[7]) for cpu in cpus if f"cpu{cpu}" in lines)
    return ticks / os.sysconf("SC_CLK_TCK")


def process_start_seconds() -> float:
    """Return when this process was started, on the clock of `time.monotonic` (as near as a tick)."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    since_boot = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return since_boot + time.clock_gettime(time.CLOCK_MONOTONIC) - time.clock_gettime(time.CLOCK_BOOTTIME)


def os_threads() -> int:
    """Return how many threads this process has."""
    return len(list(Path("/proc/self/task").iterdir()))


def _cpu_info() -> dict[str, str]:
    return _colon_file(Path("/proc/cpuinfo"))


def _colon_file(path: Path) -> dict[str, str]:
    """Read `key: value` lines; of a repeated key the first counts."""
    found: dict[str, str] = {}
    for line in path.read_text().splitlines():
        key, colon, value = line.partition(":")
        if colon:
            found.setdefault(key.strip(), value.strip())
    return found


def _space_file(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    return {key: value for key, _, value in (line.partition(" ") for line in lines)}


def _number(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
