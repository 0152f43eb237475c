"""Warm up a model, and time its calls. The timed code prints, imports and polls nothing."""

from __future__ import annotations

import gc
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

GAIN = 0.02  # the warm-up continues while calls get faster by more than this fraction
WINDOW = 8  # the number of calls that are compared with earlier ones


@dataclass(frozen=True)
class Call:
    """A call from texts to predictions, in its two parts.

    Attributes:
        encode: the function that turns the texts of a call into the engine's input.
        run: the function that runs the model on that input.
    """

    encode: Callable[[Any], Any]
    run: Callable[[Any], Any]

    def __call__(self, texts: Any) -> Any:
        """Make the call without timing it."""
        return self.run(self.encode(texts))


class Durations:
    """The durations of calls, in seconds, by the call's number: one place for each call, allocated before the first.

    Attributes:
        latency: from the texts to the predictions.
        tokenize: the part of it from the texts to the engine's input.
    """

    def __init__(self, calls: int = 0) -> None:
        self.latency = array("d", bytes(8 * calls))
        self.tokenize = array("d", bytes(8 * calls))


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Collect garbage once, and switch the collector off within the context."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def timed_calls(call: Call, batches: Sequence[Any], seconds: Durations, first: int, count: int) -> None:
    """Make `count` calls, beginning with number `first`, and write the durations of each into `seconds`.

    Args:
        call: the call to make.
        batches: the texts of each call. Call number i gets batch number i modulo the number of batches.
        seconds: the places for the durations.
        first: the number of the first call.
        count: the number of calls.
    """
    clock, n = time.perf_counter, len(batches)
    encode, run, latency, tokenize = call.encode, call.run, seconds.latency, seconds.tokenize
    for index in range(first, first + count):
        batch = batches[index % n]
        began = clock()
        inputs = encode(batch)
        encoded = clock()
        run(inputs)
        ended = clock()
        latency[index] = ended - began
        tokenize[index] = encoded - began


def warm_up(call: Call, batches: Sequence[Any], budget_seconds: float) -> tuple[int, float]:
    """Call the model with all batches in turn until the calls no longer get faster, or until the budget is spent.

    The last calls are compared with earlier calls of the same batches. The test is one-sided, because a warm-up only
    makes calls faster. So a machine that has become slower does not prolong the warm-up.

    Args:
        call: the call to make.
        batches: the texts of one batch of each shape, because a new shape may need memory and compilation.
        budget_seconds: the time after which the warm-up ends in any case.

    Returns:
        The number of calls, at least one, and the mean duration of the last pass over the batches in seconds.
    """
    n = len(batches)
    back = n * -(-WINDOW // n)  # the number of calls in as many whole passes as the window needs
    durations: list[float] = []
    single = Durations(1)
    spent = 0.0
    while True:
        timed_calls(call, (batches[len(durations) % n],), single, 0, 1)
        durations.append(single.latency[0])
        spent += single.latency[0]
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
