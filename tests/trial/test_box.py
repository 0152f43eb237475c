"""What a box reads back of itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.machine.cpu import colon_file, instruction_sets
from runner.trial import box
from tests.machines import show


def test_stolen_time_is_that_of_the_box_s_own_cpus(tmp_path: Path) -> None:
    tick = 1 / os.sysconf("SC_CLK_TCK")
    stat = "cpu 1 1 1 1 1 1 1 90 0 0\ncpu0 1 1 1 1 1 1 1 30 0 0\ncpu1 1 1 1 1 1 1 1 60 0 0\nintr 5\n"
    root = show(tmp_path, {"proc/stat": stat})
    assert box.steal_seconds([1], root) == pytest.approx(60 * tick)
    assert box.steal_seconds([0, 1], root) == pytest.approx(90 * tick)


@pytest.mark.parametrize("stat", [None, "", "cpu0 1 1 1 1 1 1 1 30 0 0\n", "cpu0 1 1 1 1\ncpu1 1 1 1 1\n"])
def test_stolen_time_that_is_not_told_is_not_known(stat: str | None, tmp_path: Path) -> None:
    root = show(tmp_path, {"proc/stat": stat} if stat is not None else {})
    assert box.steal_seconds([0, 1], root) is None


@pytest.mark.parametrize(
    ("cpu", "sets"),
    [
        ("model name : A CPU\nflags : fpu avx2 fma avx512f\n", ["avx2", "fma", "avx512f"]),
        ("model name : An old CPU\nflags : fpu sse2\n", []),
        ("processor : 0\n", None),
    ],
)
def test_no_instruction_set_is_told_from_an_unknown_one(
    cpu: str, sets: list[str] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    show(tmp_path / "proc", {"cpuinfo": cpu})
    monkeypatch.setattr("runner.machine.cpu.cpu_info", lambda: colon_file(tmp_path / "proc" / "cpuinfo"))
    assert instruction_sets() == sets
