"""Read the actual settings of a box from inside it. A value that the kernel does not show is None."""

from __future__ import annotations

import json
import os
import platform
import socket
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from runner.machine.cpu import colon_file, cpu_info, cpu_name, instruction_sets
from runner.results.records.measured import ReadBack
from runner.trial.cgroup import control_group, cpu_quota, memory_limit_bytes


def read_back(record: ReadBack, engine: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    """Write the settings of the box into a record: affinity, limits, threads, rights and the CPU.

    Args:
        record: the record, whose columns are set.
        engine: the engine's description of itself.
        facts: other facts, which are written into `box_rest`.
    """
    group = control_group("memory") or control_group("cpu")
    sets = instruction_sets()
    record.box_cpus = joined_cpus(os.sched_getaffinity(0))
    record.box_cgroup_version = group.version if group is not None else None
    record.box_memory_limit_bytes = memory_limit_bytes()
    record.box_quota_cpus = cpu_quota()
    record.box_engine_threads = engine["threads"]
    record.box_os_threads = _os_threads()
    record.box_cpu_model = cpu_name(cpu_info())
    record.box_kernel = platform.release() or None
    record.box_instruction_sets = " ".join(sets) if sets is not None else None
    record.box_engine = _json({name: value for name, value in engine.items() if name != "threads"})
    record.box_rest = _json({**_rights(), **facts})


def read_bytes() -> int | None:
    """Return how many bytes this process has caused to be read from storage so far, or None if the kernel hides it."""
    try:
        lines = Path("/proc/self/io").read_text().splitlines()
        return int(dict(line.split(": ") for line in lines)["read_bytes"])
    except (OSError, ValueError, KeyError):
        return None


def joined_cpus(cpus: Iterable[int]) -> str:
    """Return the numbers of CPUs as a text for a record, such as '0,2'."""
    return ",".join(map(str, sorted(cpus)))


def _rights() -> dict[str, Any]:
    status = colon_file(Path("/proc/self/status"))
    return {
        "python": platform.python_version(),
        "uid": os.getuid(),
        "capabilities": status.get("CapEff"),
        "no_new_privileges": {"0": False, "1": True}.get(status.get("NoNewPrivs", "")),
        "network_interfaces": [name for _, name in socket.if_nameindex()],
        "root_writable": os.access("/", os.W_OK),
    }


def steal_seconds(cpus: list[int], root: Path = Path("/")) -> float | None:
    """Return the seconds since boot in which the hypervisor gave these CPUs to others, or None if they are unknown."""
    try:
        lines = [line.split() for line in (root / "proc/stat").read_text().splitlines()]
        ticks = {words[0]: int(words[8]) for words in lines if words and words[0].startswith("cpu")}
        return sum(ticks[f"cpu{cpu}"] for cpu in cpus) / os.sysconf("SC_CLK_TCK")
    except (OSError, LookupError, ValueError):
        return None


def waiting_seconds(tasks: Path = Path("/proc/self/task")) -> float | None:
    """Return how long the threads of this process were ready to run but had no CPU, or None if it is not known.

    See https://docs.kernel.org/scheduler/sched-stats.html, /proc/<pid>/schedstat.
    """
    try:
        return sum(int((task / "schedstat").read_text().split()[1]) for task in tasks.iterdir()) / 1e9
    except (OSError, LookupError, ValueError):
        return None


def process_start_seconds() -> float:
    """Return the start of this process on the clock of `time.monotonic`, with the precision of a kernel tick."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    since_boot = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return since_boot + time.clock_gettime(time.CLOCK_MONOTONIC) - time.clock_gettime(time.CLOCK_BOOTTIME)


def _os_threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def _json(facts: dict[str, Any]) -> str | None:
    return json.dumps(facts, sort_keys=True, ensure_ascii=False) if facts else None
