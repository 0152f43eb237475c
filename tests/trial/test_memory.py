"""Peaks per phase and samples over time."""

from __future__ import annotations

import time

from runner.trial.memory import MemoryWatch
from tests.patience import wait_until

MIB = 1 << 20


def test_a_phase_has_its_own_peak_and_the_total_keeps_the_highest() -> None:
    watch = MemoryWatch()
    watch.start("small")
    small = watch.phase_peak_bytes()
    with watch.watching("large"):
        block = bytearray(b"x") * (100 * MIB)
        time.sleep(0.1)
        del block
    large = watch.phase_peak_bytes()
    watch.start("after")
    assert large - small > 90 * MIB
    assert watch.total_peak_bytes() >= large
    if watch.peak_resets:
        assert watch.phase_peak_bytes() < large - 50 * MIB


def test_a_watched_phase_is_sampled_while_it_lasts() -> None:
    watch = MemoryWatch()
    with watch.watching("sleep"):
        wait_until(lambda: len(watch.phases) >= 5, "samples")
    samples = len(watch.phases)
    time.sleep(0.05)
    assert len(watch.phases) == samples >= 5
    assert set(watch.phases) == {"sleep"}
    assert watch.seconds == sorted(watch.seconds)
    assert len(watch.rss_bytes) == samples
