"""Peaks per phase and samples over time."""

from __future__ import annotations

import mmap
import time
from pathlib import Path

import pytest

from runner.trial.memory import MemoryWatch, Peak
from tests.patience import wait_until

MIB = 1 << 20


def test_a_phase_has_its_own_peaks_and_the_total_keeps_the_highest() -> None:
    watch = MemoryWatch()
    watch.start("small")
    small = watch.phase_peak()
    with watch.watching("large"):
        block = bytearray(b"x") * (100 * MIB)
        time.sleep(0.1)
        del block
    large = watch.phase_peak()
    watch.start("after")
    after = watch.phase_peak()
    rss, anon = zip(*((peak.rss_bytes or 0, peak.rss_anon_bytes or 0) for peak in (small, large, after)), strict=True)
    assert rss[1] - rss[0] > 90 * MIB
    assert anon[1] - anon[0] > 90 * MIB
    assert watch.total == Peak(max(rss), max(anon))
    assert anon[2] < anon[1] - 50 * MIB
    if watch.peak_resets:
        assert rss[2] < rss[1] - 50 * MIB


def test_a_peak_between_two_samples_is_seen_also_of_anonymous_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.trial.memory._INTERVAL_SECONDS", 3600.0)
    watch = MemoryWatch()
    watch.start("before")
    before = watch.phase_peak().rss_anon_bytes or 0
    watch.start("timed")
    block = bytearray(b"x") * (100 * MIB)
    del block
    timed = watch.phase_peak().rss_anon_bytes or 0
    with watch.watching("load"):
        block = bytearray(b"x") * (100 * MIB)
        del block
    load = watch.phase_peak().rss_anon_bytes or 0
    if watch.peak_resets:
        assert timed - before > 90 * MIB
        assert load - before > 90 * MIB


def test_what_is_mapped_from_a_file_is_resident_and_not_anonymous(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(bytes(64 * MIB))
    watch = MemoryWatch()
    watch.start("before")
    before = watch.phase_peak()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        with watch.watching("load"):
            touched = sum(mapped[place] for place in range(0, len(mapped), mmap.PAGESIZE))
        loaded = watch.phase_peak()
    assert touched == 0
    assert (loaded.rss_bytes or 0) - (before.rss_bytes or 0) > 60 * MIB
    assert (loaded.rss_anon_bytes or 0) - (before.rss_anon_bytes or 0) < 8 * MIB
    assert watch.rss_bytes[-1] - watch.rss_anon_bytes[-1] > 60 * MIB


def test_what_the_kernel_does_not_tell_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.trial.memory._status_bytes", dict)
    watch = MemoryWatch()
    watch.start("import")
    assert watch.phase_peak() == Peak(None, None)
    assert watch.total == Peak(None, None)
    assert watch.samples().rss_anon_bytes is None


def test_a_watched_phase_is_sampled_while_it_lasts() -> None:
    watch = MemoryWatch()
    with watch.watching("sleep"):
        wait_until(lambda: len(watch.phases) >= 5, "samples")
    samples = len(watch.phases)
    time.sleep(0.05)
    assert len(watch.phases) == samples >= 5
    assert set(watch.phases) == {"sleep"}
    assert watch.seconds == sorted(watch.seconds)
    assert {len(values) for values in vars(watch.samples()).values()} == {samples}
