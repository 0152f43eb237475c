"""Warm-up and timed calls. Nothing here prints, imports or polls; whole passes over the same inputs are timed."""

from __future__ import annotations

import gc
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

Call = Callable[[Any], Any]
STEADY = 0.02  # warm-up ends when two passes in a row differ by less than this fraction


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Collect once, then keep the collector off."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def timed_pass(call: Call, batches: Sequence[Any], seconds: array[float], start: int) -> None:
    """Call once per batch; write each duration in seconds into `seconds` from index `start` on."""
    clock = time.perf_counter
    for index, batch in enumerate(batches, start):
        began = clock()
        call(batch)
        seconds[index] = clock() - began


def warm_up(call: Call, batches: Sequence[Any], budget_seconds: float) -> tuple[int, float]:
    """Go round and round the batches until two rounds in a row take the same time, or the budget is spent.

    Returns:
        The number of calls, at least one, and what a call took lately, in seconds.
    """
    duration = array("d", bytes(8))
    lately: deque[float] = deque(maxlen=len(batches))
    calls, spent, before = 0, 0.0, 0.0
    while True:
        timed_pass(call, (batches[calls % len(batches)],), duration, 0)
        lately.append(duration[0])
        calls, spent = calls + 1, spent + duration[0]
        steady = False
        if calls % len(batches) == 0:
            steady = before > 0 and abs(sum(lately) / before - 1) < STEADY
            before = sum(lately)
        if steady or spent >= budget_seconds:
            return calls, sum(lately) / len(lately)


def reference_seconds() -> float:
    """Return the median duration of a fixed piece of pure Python: it moves only if the machine does."""
    durations = []
    for _ in range(5):
        began = time.perf_counter()
        value = 1
        for _ in range(50_000):
            value = (value * 1103515245 + 12345) & 0x7FFFFFFF
        durations.append(time.perf_counter() - began)
    return sorted(durations)[2]
