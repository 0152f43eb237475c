"""Warm-up and timed calls."""

from __future__ import annotations

import gc
import time
from array import array
from collections.abc import Callable

import pytest

from runner.trial import timing
from runner.trial.timing import no_garbage_collection, timed_calls, warm_up


def test_calls_are_timed_once_each_round_and_round_the_batches() -> None:
    seen: list[float] = []

    def call(seconds: float) -> None:
        seen.append(seconds)
        time.sleep(seconds)

    durations = array("d", bytes(8 * 6))
    timed_calls(call, [0.02, 0.0, 0.01], durations, 2, 3)
    assert seen == [0.01, 0.02, 0.0]
    assert list(durations[:2]) == [0, 0]
    assert durations[5] == 0
    assert all(got >= slept for got, slept in zip(durations[2:5], seen, strict=True))


@pytest.fixture
def spend(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let calls take exactly as long as they say, on a clock that a busy machine does not move."""
    now = [0.0]

    def spend(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])
    return spend


def test_warm_up_goes_on_while_calls_get_faster(spend: Callable[[float], None]) -> None:
    delays = iter([0.05, 0.04, 0.03, 0.02, 0.01, 0.005] + [0.005] * 100)
    calls, last = warm_up(lambda _: spend(next(delays)), [None, None], budget_seconds=10)
    assert 6 <= calls < 50
    assert last == pytest.approx(0.005)


def test_warm_up_calls_every_batch_and_does_not_wait_for_a_machine_that_slows_down(
    spend: Callable[[float], None],
) -> None:
    seen: list[int] = []

    def call(number: int) -> None:
        seen.append(number)
        spend(0.0005 * len(seen))

    calls, _ = warm_up(call, list(range(20)), budget_seconds=10)
    assert set(seen) == set(range(20))
    assert calls == 28


def test_warm_up_ends_when_its_budget_is_spent_even_within_a_pass(spend: Callable[[float], None]) -> None:
    calls, _ = warm_up(lambda _: spend(0.03), [None] * 100, budget_seconds=0.1)
    assert calls == 4


def test_warm_up_is_at_least_one_call() -> None:
    assert warm_up(lambda _: None, [None], budget_seconds=0)[0] == 1


def test_no_garbage_is_collected_inside() -> None:
    with no_garbage_collection():
        assert not gc.isenabled()
    assert gc.isenabled()
