"""Peaks are those of the best kernel. They are kept, and measured again when the machine or the box changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runner.isolation.box import Box, BoxEnd, BoxOrder
from runner.isolation.process import ProcessBox
from runner.machine.topology import choose_cpus
from runner.sweep import peaks
from runner.sweep.peaks import Peaks, are_stored, from_candidates, measured_peaks
from tests.patience import PATIENCE_SECONDS


class FakeBox(Box):
    """A box that returns a given result."""

    kind = "fake"

    def __init__(self, float32: float, exit_code: int = 0) -> None:
        self.float32, self.exit_code, self.runs = float32, exit_code, 0

    def memory_limit(self, memory_bytes: int) -> int | None:
        return None

    def run(self, order: BoxOrder) -> BoxEnd:
        self.runs += 1
        candidates = [candidate("float32", self.float32), candidate("bandwidth", 5e9)]
        (order.output / "measured.json").write_text(json.dumps({"candidates": candidates}))
        return BoxEnd(self.exit_code, False, False, "no more")


def candidate(kind: str, per_second: float, name: str = "a") -> dict[str, Any]:
    return {"kind": kind, "name": name, "per_second": per_second}


def test_the_best_kernel_is_the_peak() -> None:
    peaks = from_candidates(2, [candidate("int8", 3e9, "slow"), candidate("int8", 4e9, "quick")])
    assert peaks == Peaks(2, int8_flops_per_second=4e9, best={"int8_flops_per_second": "quick"})
    assert peaks.peak_for("int8") == 4e9
    assert peaks.peak_for("float32") is None
    assert peaks.peak_for("int4") is None


def test_a_limit_counts_the_parts_in_float32() -> None:
    emulated = Peaks(1, float32_flops_per_second=90.0, bfloat16_flops_per_second=1.0, int8_flops_per_second=180.0)
    assert emulated.limit_for("bfloat16") == 90.0
    assert emulated.limit_for("int8") == 180.0
    assert emulated.limit_for(None) == 180.0
    assert emulated.limit_for("float32+int8") == 180.0
    assert Peaks(1).limit_for("int8") is None


def test_peaks_are_stored_until_something_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    box = FakeBox(float32=80.0)
    assert not are_stored(tmp_path, box, [0])
    first = measured_peaks(tmp_path, box, [0])
    assert are_stored(tmp_path, box, [0])
    assert measured_peaks(tmp_path, box, [0]) == first
    assert box.runs == 1
    assert measured_peaks(tmp_path, box, [0, 1]).threads == 2
    box.image_id = "sha256:other"
    measured_peaks(tmp_path, box, [0])
    monkeypatch.setattr(peaks, "_SECONDS", 1.0)
    measured_peaks(tmp_path, box, [0])
    assert box.runs == 4


def test_measured_again_the_higher_one_counts(tmp_path: Path) -> None:
    measured_peaks(tmp_path, FakeBox(float32=80.0), [0])
    assert measured_peaks(tmp_path, FakeBox(float32=70.0), [0], fresh=True).float32_flops_per_second == 80.0
    assert measured_peaks(tmp_path, FakeBox(float32=90.0), [0], fresh=True).float32_flops_per_second == 90.0
    kept = measured_peaks(tmp_path, FakeBox(float32=1.0), [0])
    assert (kept.float32_flops_per_second, kept.best["float32_flops_per_second"]) == (90.0, "a")


def test_a_broken_box_is_told_and_not_kept(tmp_path: Path) -> None:
    broken = measured_peaks(tmp_path, FakeBox(float32=80.0, exit_code=1), [0])
    assert broken.error == "ended with exit code 1: no more"
    assert broken.limit_for(None) is None
    assert measured_peaks(tmp_path, FakeBox(float32=80.0), [0]).error is None


def test_a_broken_file_is_measured_again(tmp_path: Path) -> None:
    measured_peaks(tmp_path, FakeBox(float32=80.0), [0])
    for path in (tmp_path / "peaks").iterdir():
        path.write_text("{")
    assert measured_peaks(tmp_path, FakeBox(float32=70.0), [0]).float32_flops_per_second == 70.0


@pytest.mark.slow
def test_a_real_box_measures_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peaks, "_SECONDS", 0.0)
    monkeypatch.setattr(peaks, "_TIMEOUT_SECONDS", PATIENCE_SECONDS)
    measured = measured_peaks(tmp_path, ProcessBox(), choose_cpus(1))
    assert measured.error is None
    for precision in ("float32", "bfloat16", "int8"):
        assert 1e8 < (measured.peak_for(precision) or 0) < 1e14
    assert 1e8 < (measured.bandwidth_bytes_per_second or 0) < 1e13
