"""What this process is limited to: control group and affinity. Both versions of control groups are understood."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from runner.doctor import Fact, Section, gib, plural
from runner.machine.cpu import read_text

_ROOT = Path("/")
_UNLIMITED_BYTES = 1 << 60  # version 1 says "no limit" by a number near 2**63


def limits_section(allowed: set[int], cores: list[int], root: Path = _ROOT) -> Section:
    """Say what we may use.

    Args:
        allowed: CPUs that this process may run on.
        cores: one of them per physical core: those that trials can get.
        root: where /proc and /sys are.
    """
    quota, memory = cpu_quota(root), memory_limit_bytes(root)
    version = cgroup_version(root)
    facts = [
        Fact("Control group", f"version {version}"),
        Fact(
            "CPU quota",
            "none" if quota is None else f"{quota:g} CPUs' worth of time",
            None if quota is None else "Throttling will disturb trials: run without a quota.",
        ),
        Fact(
            "CPUs",
            f"{plural(len(allowed), 'CPU')} allowed: {_listed(sorted(allowed))}; up to {plural(len(cores), 'thread')}",
            None if len(cores) > 1 else "Nothing is left for the rest of the system while a trial runs: expect noise.",
        ),
        Fact("Memory limit", "none" if memory is None else gib(memory)),
    ]
    data = {"cgroup_version": version, "cpu_quota": quota, "memory_limit_bytes": memory, "cpus": sorted(allowed)}
    return Section("Limits", facts, data)


def cgroup_version(root: Path = _ROOT) -> int:
    """Return 1 or 2."""
    return 2 if (root / "sys/fs/cgroup/cgroup.controllers").exists() else 1


def cpu_quota(root: Path = _ROOT) -> float | None:
    """Return how many CPUs' worth of time our control group gets, None for no quota; the narrowest above counts."""
    quotas = []
    for folder in _folders("cpu", root):
        if cgroup_version(root) == 2:
            given, _, period = (read_text(folder / "cpu.max") or "max").partition(" ")
        else:
            given, period = (read_text(folder / name) or "-1" for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us"))
        if given.isdigit() and period.isdigit():
            quotas.append(int(given) / int(period))
    return min(quotas, default=None)


def memory_limit_bytes(root: Path = _ROOT) -> int | None:
    """Return our control group's memory limit, None for no limit; the narrowest above counts."""
    name = "memory.max" if cgroup_version(root) == 2 else "memory.limit_in_bytes"
    texts = [read_text(folder / name) or "" for folder in _folders("memory", root)]
    limits = [int(text) for text in texts if text.isdigit() and int(text) < _UNLIMITED_BYTES]
    return min(limits, default=None)


def _folders(controller: str, root: Path) -> Iterator[Path]:
    """Give the folder of our control group and of each one above it (https://man7.org/linux/man-pages/man7/cgroups.7.html)."""
    top = root / "sys/fs/cgroup"
    if cgroup_version(root) == 1:
        top /= controller
    wanted = "" if cgroup_version(root) == 2 else controller
    for line in (read_text(root / "proc/self/cgroup") or "").splitlines():
        _, controllers, path = line.split(":", 2)
        if wanted in controllers.split(","):
            own = top / path.lstrip("/")
            yield from (folder for folder in (own, *own.parents) if folder.is_relative_to(top))
            return
    yield top


def _listed(cpus: list[int]) -> str:
    return ",".join(map(str, cpus)) if len(cpus) <= 8 else f"{cpus[0]}…{cpus[-1]}"
