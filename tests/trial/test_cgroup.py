"""Control groups of both versions, on file trees as the kernel shows them, on hosts and in containers."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.trial.cgroup import (
    control_group,
    cpu_quota,
    memory_limit_bytes,
    memory_peak_bytes,
    throttling,
)
from tests.machines import show

V1_MOUNTS = (
    "30 23 0:26 {group} /sys/fs/cgroup/cpu,cpuacct rw,nosuid - cgroup cgroup rw,cpu,cpuacct\n"
    "31 23 0:27 {group} /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory\n"
)
V2_MOUNTS = "30 23 0:26 {group} /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
V1_FILES = {
    "sys/fs/cgroup/cpu,cpuacct/{own}cpu.stat": "nr_periods 4\nnr_throttled 3\nthrottled_time 1500000000\n",
    "sys/fs/cgroup/cpu,cpuacct/{own}cpu.cfs_quota_us": "50000\n",
    "sys/fs/cgroup/cpu,cpuacct/{own}cpu.cfs_period_us": "100000\n",
    "sys/fs/cgroup/memory/{own}memory.limit_in_bytes": "1073741824\n",
    "sys/fs/cgroup/memory/{own}memory.max_usage_in_bytes": "7000\n",
}
V2_FILES = {
    "sys/fs/cgroup/{own}cpu.stat": "usage_usec 5\nnr_periods 4\nnr_throttled 3\nthrottled_usec 1500000\n",
    "sys/fs/cgroup/{own}cpu.max": "50000 100000\n",
    "sys/fs/cgroup/{own}memory.max": "1073741824\n",
    "sys/fs/cgroup/{own}memory.peak": "7000\n",
}


def machine(version: int, group: str, mounted: str = "/", own: str = "") -> dict[str, str]:
    """Return the files of a machine.

    Args:
        version: of its control groups.
        group: of this process, as /proc/self/cgroup names it.
        mounted: the group that is mounted.
        own: the group's folder below the mount point, with a slash at its end.
    """
    groups = f"4:memory:{group}\n2:cpu,cpuacct:{group}\n1:name=systemd:/\n0::/\n" if version == 1 else f"0::{group}\n"
    mounts, files = (V1_MOUNTS, V1_FILES) if version == 1 else (V2_MOUNTS, V2_FILES)
    return {
        "proc/self/cgroup": groups,
        "proc/self/mountinfo": "23 1 8:1 / / rw - ext4 /dev/sda rw\n" + mounts.format(group=mounted),
        **{name.format(own=own): text for name, text in files.items()},
    }


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("group", "mounted", "own"),
    [
        ("/", "/", ""),  # a container with a cgroup namespace
        ("/docker/1a2b", "/docker/1a2b", ""),  # a container without one
        ("/user.slice/session 1.scope", "/", "user.slice/session 1.scope/"),  # a host
        ("/docker/1a2b/inner", "/docker/1a2b", "inner/"),
    ],
)
def test_what_the_own_group_has(version: int, group: str, mounted: str, own: str, tmp_path: Path) -> None:
    root = show(tmp_path, machine(version, group, mounted, own))
    found = control_group("cpu", root)
    assert found is not None
    assert found.version == version
    assert throttling(root) == (4, 3, 1.5)
    assert cpu_quota(root) == 0.5
    assert memory_limit_bytes(root) == 1 << 30
    assert memory_peak_bytes(root) == 7000


@pytest.mark.parametrize("version", [1, 2])
def test_what_the_groups_above_have_holds_too(version: int, tmp_path: Path) -> None:
    """The peak is the own group's alone: those above count others' memory."""
    root = show(tmp_path, machine(version, "/outer/inner", own="outer/"))
    assert throttling(root) == (4, 3, 1.5)
    assert cpu_quota(root) == 0.5
    assert memory_limit_bytes(root) == 1 << 30
    assert memory_peak_bytes(root) is None
    inner = {1: "sys/fs/cgroup/cpu,cpuacct/outer/inner/cpu.stat", 2: "sys/fs/cgroup/outer/inner/cpu.stat"}[version]
    show(tmp_path, {inner: "nr_throttled 2\n"})
    assert throttling(root) == (4, 5, 1.5)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"proc/self/cgroup": "0::/\n"},
        {"proc/self/mountinfo": V2_MOUNTS.format(group="/")},
        machine(2, "/", mounted="/../.."),  # mounted before the namespace was made: what is there is another group's
        machine(1, "/ours", mounted="/theirs"),
        {"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": V2_MOUNTS.format(group="/")},  # the root has no files
    ],
)
def test_what_is_not_visible_is_not_known(files: dict[str, str], tmp_path: Path) -> None:
    root = show(tmp_path, files)
    assert throttling(root) is None
    assert cpu_quota(root) is None
    assert memory_limit_bytes(root) is None
    assert memory_peak_bytes(root) is None


@pytest.mark.parametrize(("version", "unlimited"), [(1, "9223372036854771712"), (2, "max")])
def test_no_limit(version: int, unlimited: str, tmp_path: Path) -> None:
    files = machine(version, "/")
    for name in files:
        if name.endswith(("memory.max", "memory.limit_in_bytes")):
            files[name] = unlimited
    assert memory_limit_bytes(show(tmp_path, files)) is None


def test_a_hybrid_of_both_versions_is_read_by_controller(tmp_path: Path) -> None:
    files = machine(1, "/ours", own="ours/")
    files["proc/self/mountinfo"] += "41 23 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
    files["proc/self/cgroup"] = "2:cpu,cpuacct:/ours\n0::/theirs\n"
    root = show(tmp_path, files)
    cpu, memory = control_group("cpu", root), control_group("memory", root)
    assert cpu is not None
    assert memory is None or memory.version == 2
    assert (cpu.version, throttling(root)) == (1, (4, 3, 1.5))
    assert memory_limit_bytes(root) is None
