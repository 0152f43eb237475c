"""What a trial calls unfair, and that both kinds of control groups are understood."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.trial import box
from runner.trial.__main__ import unfair

REQUEST: dict[str, Any] = {"cpus": [1], "memory_bytes": 1 << 30, "threads": 1}
READ: dict[str, Any] = {"cpus": [1], "memory_limit_bytes": 1 << 30, "engine": {"threads": 1}}
FIGURES = {"cpu_seconds": 1.0, "elapsed_seconds": 1.0}


def test_a_box_as_ordered_is_fair() -> None:
    assert unfair(REQUEST, READ, FIGURES) is None
    assert unfair(REQUEST | {"memory_bytes": None}, READ | {"memory_limit_bytes": None}, FIGURES) is None


@pytest.mark.parametrize(
    ("read", "figures", "message"),
    [
        ({"cpus": [0, 1]}, {}, r"asked for CPUs \[1\], got \[0, 1\]"),
        ({"memory_limit_bytes": None}, {}, "memory limit"),
        ({"engine": {"threads": 2}}, {}, "asked the engine for threads=1, it has 2"),
        ({}, {"cpu_seconds": 1.9}, "more than threads=1 can"),
    ],
)
def test_a_box_that_differs_is_unfair(read: dict[str, Any], figures: dict[str, float], message: str) -> None:
    import re

    found = unfair(REQUEST, READ | read, FIGURES | figures)
    assert found is not None
    assert re.search(message, found)


@pytest.mark.parametrize("version", [1, 2])
def test_limits_of_both_control_group_versions(version: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        1: {
            "memory/memory.limit_in_bytes": "1073741824",
            "memory/memory.max_usage_in_bytes": "7000",
            "cpu/cpu.stat": "nr_periods 4\nnr_throttled 3",
        },
        2: {
            "cgroup.controllers": "cpu",
            "memory.max": "1073741824",
            "memory.peak": "7000",
            "cpu.stat": "nr_throttled 3",
        },
    }
    for name, text in files[version].items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(box, "_CGROUP", tmp_path)
    assert box.cgroup_version() == version
    assert box.memory_limit_bytes() == 1 << 30
    assert box.box_peak_bytes() == 7000
    assert box.throttled_periods() == 3
    (tmp_path / ("memory.max" if version == 2 else "memory/memory.limit_in_bytes")).write_text(
        "max" if version == 2 else "9223372036854771712"
    )
    assert box.memory_limit_bytes() is None
