"""Warm-up and timed calls, by a clock that only the calls themselves move on."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest

from runner.trial import timing
from runner.trial.timing import Call, Durations, no_garbage_collection, timed_calls, warm_up


class Clock:
    """Stands in for the module `time`."""

    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(timing, "time", found)
    return found


def run(model: Callable[[Any], Any]) -> Call:
    """Return a call whose texts are the engine's input."""
    return Call(lambda texts: texts, model)


def test_calls_are_timed_once_each_round_and_round_the_batches(clock: Clock) -> None:
    durations = Durations(6)
    timed_calls(Call(lambda seconds: seconds, clock.sleep), [0.02, 0.0, 0.01], durations, 2, 3)
    assert list(durations.latency) == pytest.approx([0, 0, 0.01, 0.02, 0, 0])
    assert list(durations.tokenize) == [0] * 6


def test_a_call_is_timed_from_its_texts_and_tokenizing_is_a_part_of_it(clock: Clock) -> None:
    def encode(seconds: float) -> float:
        clock.sleep(0.003)
        return seconds

    durations = Durations(2)
    timed_calls(Call(encode, clock.sleep), [0.01, 0.02], durations, 0, 2)
    assert list(durations.latency) == pytest.approx([0.013, 0.023])
    assert list(durations.tokenize) == pytest.approx([0.003, 0.003])


def test_warm_up_goes_on_while_calls_get_faster(clock: Clock) -> None:
    delays = iter([0.05, 0.04, 0.03, 0.02, 0.01, 0.005] + [0.005] * 100)
    calls, last = warm_up(run(lambda _: clock.sleep(next(delays))), [None, None], budget_seconds=10)
    assert 6 <= calls < 50
    assert last == pytest.approx(0.005)


def test_warm_up_calls_every_batch_and_does_not_wait_for_a_machine_that_slows_down(clock: Clock) -> None:
    seen: list[int] = []

    def call(number: int) -> None:
        seen.append(number)
        clock.sleep(0.0005 * len(seen))

    calls, _ = warm_up(run(call), list(range(20)), budget_seconds=10)
    assert set(seen) == set(range(20))
    assert calls == 28


def test_warm_up_ends_when_its_budget_is_spent_even_within_a_pass(clock: Clock) -> None:
    calls, _ = warm_up(run(lambda _: clock.sleep(0.03)), [None] * 100, budget_seconds=0.1)
    assert calls == 4


def test_warm_up_is_at_least_one_call() -> None:
    assert warm_up(run(lambda _: None), [None], budget_seconds=0)[0] == 1


def test_no_garbage_is_collected_inside() -> None:
    with no_garbage_collection():
        assert not gc.isenabled()
    assert gc.isenabled()
