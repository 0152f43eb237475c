"""Spreading work over the cores that this process may use."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_FEW = 2000  # things that are done before a second process has started
_AHEAD = 2  # chunks per process that are done before they are asked for: more would only fill memory


def cores() -> int:
    """Return how many cores this process may use: `make watch` may use one."""
    return len(os.sched_getaffinity(0))


def parallel_map(work: Callable[[Sequence[T]], R], things: Sequence[T], chunk: int) -> Iterator[R]:
    """Yield what is made of each chunk, in order; with many things, each core of this process works on some.

    Args:
        work: a function that another process can import, or a `partial` of one.
        things: what it is given.
        chunk: how many of them at once.
    """
    chunks = (things[first : first + chunk] for first in range(0, len(things), chunk))
    if cores() == 1 or len(things) <= _FEW:
        yield from map(work, chunks)
        return
    with ProcessPoolExecutor(cores(), multiprocessing.get_context("spawn")) as pool:
        waiting: deque[Future[R]] = deque()
        for one in chunks:
            waiting.append(pool.submit(work, one))
            if len(waiting) > _AHEAD * cores():
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
