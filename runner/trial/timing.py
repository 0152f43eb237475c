"""Warm up a model, and time its calls. The timed code prints, imports and polls nothing."""

from __future__ import annotations

import gc
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

Call = Callable[[Any], Any]
GAIN = 0.02  # the warm-up continues while calls get faster by more than this fraction
WINDOW = 8  # the number of calls that are compared with earlier ones


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Collect garbage once, and switch the collector off within the context."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def timed_calls(call: Call, batches: Sequence[Any], seconds: array[float], first: int, count: int) -> None:
    """Make `count` calls, beginning with number `first`, and write the duration of each into `seconds`.

    Args:
        call: the function to call.
        batches: the inputs. Call number i gets batch number i modulo the number of batches.
        seconds: an array with one place for each call, for its duration in seconds.
        first: the number of the first call.
        count: the number of calls.
    """
    clock, n = time.perf_counter, len(batches)
    for index in range(first, first + count):
        batch = batches[index % n]
        began = clock()
        call(batch)
        seconds[index] = clock() - began


def warm_up(call: Call, batches: Sequence[Any], budget_seconds: float) -> tuple[int, float]:
    """Call the model with all batches in turn until the calls no longer get faster, or until the budget is spent.

    The last calls are compared with earlier calls of the same batches. The test is one-sided, because a warm-up only
    makes calls faster. So a machine that has become slower does not prolong the warm-up.

    Args:
        call: the function to call.
        batches: one batch of each shape, because a new shape may need memory and compilation.
        budget_seconds: the time after which the warm-up ends in any case.

    Returns:
        The number of calls, at least one, and the mean duration of the last pass over the batches in seconds.
    """
    n = len(batches)
    back = n * -(-WINDOW // n)  # the number of calls in as many whole passes as the window needs
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
    """Return the median duration of a fixed computation in pure Python. It changes only if the machine's speed does."""
    durations = []
    for _ in range(5):
        began = time.perf_counter()
        value = 1
        for _ in range(20_000):
            value = (value * 1103515245 + 12345) & 0x7FFFFFFF
        durations.append(time.perf_counter() - began)
    return sorted(durations)[2]
