"""Take requests, answer them, and send the answers: the loop of every worker of a service.

`runner.trial.service` measures this loop, and `pinbox export` copies this file byte for byte into the services that it
writes. So it imports the standard library only.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

#: The number of a request, and its text.
Request = tuple[int, Any]


class Requests(Protocol):
    """The requests that wait. Other workers may take some of them at the same time."""

    def fileno(self) -> int:
        """Return a handle that can be read when a request waits, and at the end."""

    def wait(self, most: int) -> list[Request]:
        """Wait for a request, and return it with those that wait behind it, up to `most`. At the end, return none.

        Args:
            most: the largest number of requests.
        """

    def further(self, most: int) -> list[Request]:
        """Return the requests that wait now, up to `most`. At the end, return none.

        Args:
            most: the largest number of requests.

        Raises:
            BlockingIOError: if no request waits.
        """


class Queue:
    """The requests that wait, in batches.

    Args:
        requests: the requests.
        max_batch_size: the largest number of requests in a batch.
        max_wait_seconds: how long a worker that has a request waits for further ones.
    """

    def __init__(self, requests: Requests, max_batch_size: int, max_wait_seconds: float) -> None:
        self._requests = requests
        self._size = max_batch_size
        self._wait_seconds = max_wait_seconds

    def take(self) -> list[Request]:
        """Wait for a request, and return it with those that follow it. At the end, return none."""
        taken = self._requests.wait(self._size)
        if taken and self._wait_seconds:
            deadline = time.monotonic() + self._wait_seconds
            while len(taken) < self._size and (left := deadline - time.monotonic()) > 0:
                if select.select([self._requests], [], [], left)[0]:
                    try:
                        further = self._requests.further(self._size - len(taken))
                    except BlockingIOError:
                        continue  # another worker was faster
                    if not further:
                        break
                    taken += further
        return taken


def serve(queue: Queue, answer: Callable[[Sequence[Any]], Any], send: Callable[[Sequence[int], Any], None]) -> None:
    """Answer requests until the queue ends.

    Args:
        queue: the queue of this worker.
        answer: the function that makes the predictions for the texts of a batch.
        send: the function that sends them. It gets the numbers of the requests, and the predictions.
    """
    while taken := queue.take():
        send([number for number, _ in taken], answer([text for _, text in taken]))
