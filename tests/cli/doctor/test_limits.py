"""Quotas and limits in control groups of both versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.cli.doctor.limits import limits_section
from runner.trial.cgroup import cpu_quota, memory_limit_bytes
from tests.machines import show

VERSION_1 = {
    "proc/self/cgroup": "4:memory:/us\n2:cpu,cpuacct:/us/here\n",
    "proc/self/mountinfo": "30 1 0:1 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
    "31 1 0:2 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
    "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
    "sys/fs/cgroup/cpu/us/cpu.cfs_quota_us": "300000",
    "sys/fs/cgroup/cpu/us/cpu.cfs_period_us": "100000",
    "sys/fs/cgroup/cpu/us/here/cpu.cfs_quota_us": "150000",
    "sys/fs/cgroup/cpu/us/here/cpu.cfs_period_us": "100000",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
    "sys/fs/cgroup/memory/us/memory.limit_in_bytes": "1073741824",
}
VERSION_2 = {
    "proc/self/cgroup": "0::/us/here\n",
    "proc/self/mountinfo": "30 1 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
    "sys/fs/cgroup/us/cpu.max": "150000 100000",
    "sys/fs/cgroup/us/here/cpu.max": "max 100000",
    "sys/fs/cgroup/us/memory.max": "max",
    "sys/fs/cgroup/us/here/memory.max": "1073741824",
}


@pytest.mark.parametrize("files", [VERSION_1, VERSION_2])
def test_the_narrowest_limit_counts(files: dict[str, str], tmp_path: Path) -> None:
    show(tmp_path, files)
    assert cpu_quota(tmp_path) == 1.5
    assert memory_limit_bytes(tmp_path) == 1 << 30
    quota = limits_section({0, 1}, [0, 1], tmp_path).facts[1]
    assert quota.value == "1.5 CPUs' worth of time"
    assert "without a quota" in (quota.advice or "")


@pytest.mark.parametrize(("files", "said"), [({}, "unknown"), (VERSION_2 | {"proc/self/cgroup": "0::/other"}, "none")])
def test_no_limits_are_told_from_unknown_ones(files: dict[str, str], said: str, tmp_path: Path) -> None:
    show(tmp_path, files)
    assert cpu_quota(tmp_path) is None
    assert memory_limit_bytes(tmp_path) is None
    facts = {fact.name: fact for fact in limits_section({0, 1}, [0, 1], tmp_path).facts}
    assert facts["CPU quota"].value.startswith(said)
    assert facts["Memory limit"].value.startswith(said)
    assert facts["Throttling"].value.startswith("unknown")
    assert not any(fact.advice for fact in facts.values())


def test_a_single_core_gets_a_warning(tmp_path: Path) -> None:
    cpus = limits_section({3}, [3], tmp_path).facts[3]
    assert cpus.value == "1 CPU allowed: 3; up to 1 thread"
    assert cpus.advice
