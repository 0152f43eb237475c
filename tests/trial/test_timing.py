"""Warm-up and timed calls."""

from __future__ import annotations

import gc
import time
from array import array

from runner.trial.timing import no_garbage_collection, timed_pass, warm_up


def test_a_pass_times_each_call_once_in_order() -> None:
    seen: list[float] = []

    def call(seconds: float) -> None:
        seen.append(seconds)
        time.sleep(seconds)

    durations = array("d", bytes(8 * 4))
    timed_pass(call, [0.02, 0.0, 0.01], durations, 1)
    assert seen == [0.02, 0.0, 0.01]
    assert durations[0] == 0
    assert all(got >= slept for got, slept in zip(durations[1:], seen, strict=True))


def test_warm_up_goes_on_until_steady() -> None:
    delays = iter([0.03, 0.02, 0.02, 0.01] + [0.01] * 100)
    calls, last = warm_up(lambda _: time.sleep(next(delays)), [None, None], budget_seconds=10)
    assert 6 <= calls < 50
    assert calls % 2 == 0
    assert 0.009 < last < 0.02


def test_warm_up_ends_when_its_budget_is_spent_even_within_a_pass() -> None:
    calls, _ = warm_up(lambda _: time.sleep(0.03), [None] * 100, budget_seconds=0.1)
    assert 3 <= calls <= 4


def test_warm_up_is_at_least_one_call() -> None:
    assert warm_up(lambda _: None, [None], budget_seconds=0)[0] == 1


def test_no_garbage_is_collected_inside() -> None:
    with no_garbage_collection():
        assert not gc.isenabled()
    assert gc.isenabled()
