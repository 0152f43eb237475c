"""What this process is limited to: control group and affinity."""

from __future__ import annotations

from pathlib import Path

from runner.cli.doctor.fact import Fact, Section, gib, plural
from runner.trial.cgroup import control_group, cpu_quota, memory_limit_bytes, throttled_periods

_UNKNOWN = "unknown: the kernel does not tell it here"


def limits_section(allowed: set[int], cores: list[int], root: Path = Path("/")) -> Section:
    """Say what we may use.

    Args:
        allowed: CPUs that this process may run on.
        cores: one of them per physical core: those that trials can get.
        root: where /proc and /sys are.
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
            None if quota is None else "Throttling will disturb trials: run without a quota.",
        ),
        Fact("Throttling", _UNKNOWN if throttled_periods(root) is None else "is counted, and disturbs a round"),
        Fact(
            "CPUs",
            f"{plural(len(allowed), 'CPU')} allowed: {_listed(sorted(allowed))}; up to {plural(len(cores), 'thread')}",
            None if len(cores) > 1 else "Nothing is left for the rest of the system while a trial runs: expect noise.",
        ),
        Fact("Memory limit", (_UNKNOWN if memory_group is None else "none") if memory is None else gib(memory)),
    ]
    data = {"cgroup_version": version, "cpu_quota": quota, "memory_limit_bytes": memory, "cpus": sorted(allowed)}
    return Section("Limits", facts, data)


def _listed(cpus: list[int]) -> str:
    return ",".join(map(str, cpus)) if len(cpus) <= 8 else f"{cpus[0]}…{cpus[-1]}"
