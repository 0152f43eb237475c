"""Warm-up and timed calls. Nothing here prints, imports or polls; whole passes over the same inputs are timed."""

from __future__ import annotations

import gc
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

Call = Callable[[Any], Any]
GAIN = 0.02  # warm-up goes on while a batch gets faster by more than this fraction from one pass to the next
WINDOW = 8  # calls over which that is evaluated


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Collect once, then keep the collector off."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def timed_calls(call: Call, batches: Sequence[Any], seconds: array[float], first: int, count: int) -> None:
    """Make calls number `first` to `first + count - 1` of round after round of the batches; note each duration.

    Args:
        call, batches: call number i gets batch i modulo their number.
        seconds: durations in seconds, one place per call.
        first, count: which calls.
    """
    clock, n = time.perf_counter, len(batches)
    for index in range(first, first + count):
        batch = batches[index % n]
        began = clock()
        call(batch)
        seconds[index] = clock() - began


def warm_up(call: Call, batches: Sequence[Any], budget_seconds: float) -> tuple[int, float]:
    """Call round after round of the batches until they no longer get faster, or the budget is spent.

    The last calls are held against earlier ones of the same batches. Warming up only ever makes calls faster, so the
    test has one side: a machine that just got slower does not prolong it.

    Args:
        call, batches: one batch of each shape, since a new shape costs memory and compiling.
        budget_seconds: the end in any case.

    Returns:
        The number of calls, at least one, and the mean of the last ones, in seconds.
    """
    n = len(batches)
    back = n * -(-WINDOW // n)  # as many whole passes as the window needs
    durations: list[float] = []
    single = array("d", bytes(8))
    spent = 0.0
    while True:
        timed_calls(call, (batches[len(durations) % n],), single, 0, 1)
        durations.append(single[0])
        spent += single[0]
        enough = len(durations) >= back + WINDOW
        before = sum(durations[-WINDOW - back : len(durations) - back])
        steady = enough and sum(durations[-WINDOW:]) >= (1 - GAIN) * before
        if steady or spent >= budget_seconds:
            return len(durations), sum(durations[-n:]) / len(durations[-n:])


def reference_seconds() -> float:
    """Return the median duration of a fixed piece of pure Python: it moves only if the machine does."""
    durations = []
    for _ in range(5):
        began = time.perf_counter()
        value = 1
        for _ in range(20_000):
            value = (value * 1103515245 + 12345) & 0x7FFFFFFF
        durations.append(time.perf_counter() - began)
    return sorted(durations)[2]
