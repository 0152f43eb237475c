"""The control groups of this process, of both versions (https://man7.org/linux/man-pages/man7/cgroups.7.html).

The kernel names the group of a process in each hierarchy (/proc/self/cgroup), and says which part of a hierarchy is
mounted where (/proc/self/mountinfo). In a container the part that is mounted often begins at the container's own group.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

_ROOT = Path("/")
_UNLIMITED = 1 << 60  # version 1 says "no limit" by a number near 2**63
_ESCAPED = re.compile(r"\\([0-7]{3})")  # how mountinfo writes a space


@dataclass(frozen=True)
class ControlGroup:
    """This process's group of one controller: `version` is 1 or 2.

    `folders` are its own folder and those of the groups above it, as far as they are mounted here: what limits a group
    limits all below it.
    """

    version: int
    folders: tuple[Path, ...]

    def numbers(self, name: str) -> list[int]:
        """Return the numbers in the files of this name, the own group's first; a group without one is left out."""
        texts = (_text(folder / name).strip() for folder in self.folders)
        return [int(text) for text in texts if text.isdigit()]


@cache
def control_group(controller: str, root: Path = _ROOT) -> ControlGroup | None:
    """Return this process's group of a controller, such as cpu or memory; None if it is not visible.

    Args:
        controller: in version 1 each is in one hierarchy; those that are in none are in that of version 2.
        root: where /proc and /sys are.
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
    """Return the lowest memory limit of our group and those above it; None for no limit, or if it is not known."""
    group = control_group("memory", root)
    if group is None:
        return None
    limits = group.numbers("memory.max" if group.version == 2 else "memory.limit_in_bytes")
    return min((limit for limit in limits if limit < _UNLIMITED), default=None)


def memory_peak_bytes(root: Path = _ROOT) -> int | None:
    """Return the peak of our group's memory, page cache included; None where the kernel does not tell it."""
    group = control_group("memory", root)
    if group is None:
        return None
    name = "memory.peak" if group.version == 2 else "memory.max_usage_in_bytes"
    return next(iter(ControlGroup(group.version, group.folders[:1]).numbers(name)), None)


def throttled_periods(root: Path = _ROOT) -> int | None:
    """Return how often our group, or one above it, was stopped for having used up its CPU quota; None if unknown."""
    group = control_group("cpu", root)
    if group is None:
        return None
    known = []
    for folder in group.folders:
        for line in _text(folder / "cpu.stat").splitlines():
            name, _, value = line.partition(" ")
            if name == "nr_throttled" and value.isdigit():
                known.append(int(value))
    return sum(known) if known else None


def cpu_quota(root: Path = _ROOT) -> float | None:
    """Return how many CPUs' worth of time our group gets, the least of all above it; None for no quota, or unknown."""
    group = control_group("cpu", root)
    quotas = []
    for folder in group.folders if group is not None else ():
        if group is not None and group.version == 2:
            given, _, period = _text(folder / "cpu.max").strip().partition(" ")
        else:
            given, period = (_text(folder / name).strip() for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us"))
        if given.isdigit() and period.isdigit():
            quotas.append(int(given) / int(period))
    return min(quotas, default=None)


def _mounts(version: int, controller: str, root: Path) -> Iterator[tuple[str, Path]]:
    """Give, of each mount of a controller's hierarchy, which group is mounted, and where."""
    for line in _text(root / "proc/self/mountinfo").splitlines():
        mount, _, of = line.partition(" - ")
        kind, *_, options = of.split(" ")
        if kind == "cgroup2" if version == 2 else kind == "cgroup" and controller in options.split(","):
            group, at = (_ESCAPED.sub(lambda code: chr(int(code[1], 8)), text) for text in mount.split(" ")[3:5])
            yield group, root / at.lstrip("/")


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
