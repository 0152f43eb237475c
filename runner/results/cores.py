"""How the files of a large sweep are read on all cores that this process may use.

A sweep of 100,000 trials has as many files. They are read in chunks by several processes, and their tables come back in
order. A small sweep is read in this process, since another one takes longer to start.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_MIN_ITEMS = 2000  # fewer are done before a second process has started
_AHEAD = 2  # chunks for each process that are done before they are asked for: more would only fill memory


def cores() -> int:
    """Return how many cores this process may use, which is one for `pinbox watch`."""
    return len(os.sched_getaffinity(0))


def parallel_map(work: Callable[[Sequence[T]], R], items: Sequence[T], chunk_size: int) -> Iterator[R]:
    """Yield the result of `work` for each chunk of the items, in order. Many items are shared among all cores.

    Args:
        work: a function that another process can import, or a `partial` of one; it takes a chunk.
        items: what the chunks are cut from.
        chunk_size: the number of items in a chunk.
    """
    chunks = (items[first : first + chunk_size] for first in range(0, len(items), chunk_size))
    if cores() == 1 or len(items) <= _MIN_ITEMS:
        yield from map(work, chunks)
        return
    with ProcessPoolExecutor(cores(), multiprocessing.get_context("spawn")) as pool:
        waiting: deque[Future[R]] = deque()
        for chunk in chunks:
            waiting.append(pool.submit(work, chunk))
            if len(waiting) > _AHEAD * cores():
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
