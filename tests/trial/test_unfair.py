"""What a trial calls unfair."""

from __future__ import annotations

from typing import Any

import pytest

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
