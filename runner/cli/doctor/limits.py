"""Examine the limits of this process: its control group and its affinity."""

from __future__ import annotations

from pathlib import Path

from runner.cli.doctor.fact import Fact, Section, gib
from runner.results.format import pluralize
from runner.trial.cgroup import control_group, cpu_quota, memory_limit_bytes, throttling

_UNKNOWN = "unknown: the kernel does not show it"


def limits_section(allowed: set[int], cores: list[int], root: Path = Path("/")) -> Section:
    """Report how much of the machine this process may use.

    Args:
        allowed: the CPUs on which this process may run.
        cores: one CPU of each physical core. Trials can use these.
        root: the folder that holds /proc and /sys.
    """
    quota, memory = cpu_quota(root), memory_limit_bytes(root)
    cpu_group, memory_group = control_group("cpu", root), control_group("memory", root)
    group = memory_group or cpu_group
    version = group.version if group is not None else None
    facts = [
        Fact("Control group", f"version {version}" if version is not None else _UNKNOWN),
        Fact(
            "CPU quota",
            (_UNKNOWN if cpu_group is None else "none") if quota is None else f"{quota:g} CPUs' worth of time",
            None if quota is None else "Throttling will disturb trials. Run without a quota.",
        ),
        Fact(
            "Throttling",
            _UNKNOWN
            if throttling(root) is None
            else "the kernel counts it, and a round in which it happens is disturbed",
        ),
        Fact(
            "CPUs",
            f"{pluralize(len(allowed), 'CPU')} allowed: {_abbreviated(sorted(allowed))}; "
            f"up to {pluralize(len(cores), 'thread')}",
            None if len(cores) > 1 else "A trial leaves no core for the rest of the system. Expect noise.",
        ),
        Fact("Memory limit", (_UNKNOWN if memory_group is None else "none") if memory is None else gib(memory)),
    ]
    data = {"cgroup_version": version, "cpu_quota": quota, "memory_limit_bytes": memory, "cpus": sorted(allowed)}
    return Section("Limits", facts, data)


def _abbreviated(cpus: list[int]) -> str:
    return ",".join(map(str, cpus)) if len(cpus) <= 8 else f"{cpus[0]}…{cpus[-1]}"
