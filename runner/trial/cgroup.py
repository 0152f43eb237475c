"""Read the limits and counters of this process's control groups, versions 1 and 2.

The kernel names the group of a process in each hierarchy (/proc/self/cgroup), and lists which part of a hierarchy is
mounted at which place (/proc/self/mountinfo). In a container, the mounted part often begins at the container's own
group. See https://man7.org/linux/man-pages/man7/cgroups.7.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

_ROOT = Path("/")
_UNLIMITED = 1 << 60  # version 1 expresses "no limit" by a number near 2**63
_ESCAPED = re.compile(r"\\([0-7]{3})")  # mountinfo writes a space as \040


@dataclass(frozen=True)
class ControlGroup:
    """This process's group of one controller.

    Attributes:
        version: the version of control groups, 1 or 2.
        folders: the group's folder and the folders of the groups above it that are mounted here. The limits of a group
            also apply to all groups below it.
    """

    version: int
    folders: tuple[Path, ...]

    def numbers(self, name: str) -> list[int]:
        """Return the numbers in the files with this name, first that of the process's group. Skip missing numbers."""
        texts = (_text(folder / name).strip() for folder in self.folders)
        return [int(text) for text in texts if text.isdigit()]


@cache
def control_group(controller: str, root: Path = _ROOT) -> ControlGroup | None:
    """Return this process's group of a controller, or None if it is not visible.

    Args:
        controller: the name of a controller, such as cpu or memory. If no hierarchy of version 1 has the controller,
            the hierarchy of version 2 has it.
        root: the folder that holds /proc and /sys.
    """
    groups = [line.split(":", 2) for line in _text(root / "proc/self/cgroup").splitlines()]
    for version, kind in ((1, controller), (2, "")):
        path = next((path for _, kinds, path in groups if kind in kinds.split(",")), None)
        if path is not None:
            for mounted, at in _mounts(version, controller, root):
                if PurePosixPath(path).is_relative_to(mounted):
                    folder = at / PurePosixPath(path).relative_to(mounted)
                    return ControlGroup(version, tuple(f for f in (folder, *folder.parents) if f.is_relative_to(at)))
            return None
    return None


def memory_limit_bytes(root: Path = _ROOT) -> int | None:
    """Return the lowest memory limit of this group and the groups above it, or None if none is set or known."""
    group = control_group("memory", root)
    if group is None:
        return None
    limits = group.numbers("memory.max" if group.version == 2 else "memory.limit_in_bytes")
    return min((limit for limit in limits if limit < _UNLIMITED), default=None)


def memory_peak_bytes(root: Path = _ROOT) -> int | None:
    """Return the peak memory of this process's group with page cache, or None if the kernel does not show it."""
    group = control_group("memory", root)
    if group is None:
        return None
    name = "memory.peak" if group.version == 2 else "memory.max_usage_in_bytes"
    return next(iter(ControlGroup(group.version, group.folders[:1]).numbers(name)), None)


class Throttling(NamedTuple):
    """What CPU quotas did to this process's group and the groups above it, since these were made.

    Attributes:
        periods: in how many periods of a quota something ran.
        throttled_periods: in how many of these periods the quota was used up before the period had ended.
        throttled_seconds: how long CPUs were kept from running these groups, summed over the CPUs.
    """

    periods: int
    throttled_periods: int
    throttled_seconds: float

    def since(self, before: Throttling) -> Throttling:
        """Return what happened after an earlier reading."""
        periods = self.periods - before.periods
        throttled_periods = self.throttled_periods - before.throttled_periods
        return Throttling(periods, throttled_periods, self.throttled_seconds - before.throttled_seconds)


def throttling(root: Path = _ROOT) -> Throttling | None:
    """Return what CPU quotas did to this group and the groups above it, or None if the kernel does not show it."""
    group = control_group("cpu", root)
    stats = [_numbers(folder / "cpu.stat") for folder in group.folders] if group is not None else []
    if not any("nr_throttled" in stat for stat in stats):
        return None
    nanoseconds = sum(stat.get("throttled_time", 0) + 1000 * stat.get("throttled_usec", 0) for stat in stats)
    periods, throttled = (sum(stat.get(name, 0) for stat in stats) for name in ("nr_periods", "nr_throttled"))
    return Throttling(periods, throttled, nanoseconds / 1e9)


def cpu_quota(root: Path = _ROOT) -> float | None:
    """Return the CPU quota as a number of CPUs, or None if there is none or if it is not known.

    It is the lowest quota of this process's group and of the groups above it.
    """
    group = control_group("cpu", root)
    quotas = []
    for folder in group.folders if group is not None else ():
        if group is not None and group.version == 2:
            quota, _, period = _text(folder / "cpu.max").strip().partition(" ")
        else:
            quota, period = (_text(folder / name).strip() for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us"))
        if quota.isdigit() and period.isdigit():
            quotas.append(int(quota) / int(period))
    return min(quotas, default=None)


def _mounts(version: int, controller: str, root: Path) -> Iterator[tuple[str, Path]]:
    """Yield the mounted group and the folder for each mount of a controller's hierarchy."""
    for line in _text(root / "proc/self/mountinfo").splitlines():
        mount, _, file_system = line.partition(" - ")
        kind, *_, options = file_system.split(" ")
        if kind == "cgroup2" if version == 2 else kind == "cgroup" and controller in options.split(","):
            group, folder = (_ESCAPED.sub(lambda code: chr(int(code[1], 8)), text) for text in mount.split(" ")[3:5])
            yield group, root / folder.lstrip("/")


def _numbers(path: Path) -> dict[str, int]:
    """Return the numbers of a file with a name and a number in each line."""
    lines = (line.split(" ") for line in _text(path).splitlines())
    return {words[0]: int(words[1]) for words in lines if len(words) == 2 and words[1].isdigit()}


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
