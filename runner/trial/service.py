"""Serve requests with some workers inside a box: `python -m runner.trial.service REQUEST`.

    {"engine": the engine's name, "plugin": its module or null, "threads": of each worker, "cpus": of all workers,
     "workers": their number, "batching": {"max_batch_size": 1, "max_wait_milliseconds": 0},
     "warmup_seconds": for each worker, "paths": {"artifact": …, "inputs": …, "pipes": …, "output": …}}

Each worker is a process with its own model on its own cores. There is no dispatcher: a worker that is free takes the
next requests from the pipe, which is the queue (see runner/trial/pipes.py), and writes the answers. The service ends
when no process has the pipe open for writing, and fails when a worker fails.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from runner.engines.engine import import_engine
from runner.isolation.box import environment
from runner.trial.pipes import ANSWER, ANSWERS, ATOMIC_BYTES, REQUEST, REQUESTS, STARTED, UNKNOWN
from runner.trial.request import Paths, Settings, read_request, run
from runner.trial.timing import Call, no_garbage_collection, warm_up

_WARM_UP_TEXTS = 16  # each of them alone, and then a full batch
_ANSWERS_AT_ONCE = ATOMIC_BYTES // ANSWER.size


def main() -> None:
    """Start the workers, and wait until all of them have ended.

    Raises:
        SystemExit: if a worker fails. The box then ends, and the other workers with it.
    """
    request, paths = read_request()
    threads = request["threads"]
    workers = {}
    for number in range(request["workers"]):
        cpus = request["cpus"][number * threads : (number + 1) * threads]
        workers[_start(partial(work, number, cpus, request, paths))] = number
    for _ in range(len(workers)):
        pid, status = os.wait()
        code = os.waitstatus_to_exitcode(status)
        if code < 0:
            raise SystemExit(f"worker {workers[pid]} was killed by {signal.Signals(-code).name}")
        if code:
            raise SystemExit(code)  # it has printed the reason


def _start(work: Callable[[], None]) -> int:
    """Run a function in a child process, and return the child's id. No engine is imported yet, so forking is safe."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def work(number: int, cpus: Sequence[int], request: Settings, paths: Paths) -> None:
    """Load the model on some cores, warm it up, and answer requests until the pipe is closed."""
    os.sched_setaffinity(0, cpus)
    os.environ.update(environment(request["threads"]))  # those of the box count the threads of all workers
    engine = import_engine(request["engine"], request["plugin"])(paths["artifact"], request["threads"])
    from runner.trial.encoder import Encoder, in_calls, read_texts  # here, because it imports numpy

    encoder, texts = Encoder(paths["inputs"], engine.prepare), read_texts(paths["inputs"])
    answer = Call(encoder.encode, lambda inputs: engine.logits(engine.run(inputs)))
    size, wait_milliseconds = (request["batching"][name] for name in ("max_batch_size", "max_wait_milliseconds"))
    with no_garbage_collection():
        warm_up(answer, [*in_calls(texts[:_WARM_UP_TEXTS], 1), texts[:size]], request["warmup_seconds"])
        queue = Queue(paths["pipes"], size, wait_milliseconds / 1000)
        serve(queue, answer, texts, os.open(paths["pipes"] / ANSWERS, os.O_WRONLY), number)


class Queue:
    """The requests that wait in the pipe, as a worker sees them.

    Args:
        folder: the folder of the pipes.
        max_batch_size: the largest number of requests in a batch.
        max_wait_seconds: how long a worker that has a request waits for further ones.
    """

    def __init__(self, folder: Path, max_batch_size: int, max_wait_seconds: float) -> None:
        self._first = os.open(folder / REQUESTS, os.O_RDONLY)
        self._further = os.open(folder / REQUESTS, os.O_RDONLY | os.O_NONBLOCK)  # another worker may be faster
        self._bytes = max_batch_size * REQUEST.size
        self._wait_seconds = max_wait_seconds

    def take(self) -> list[tuple[int, int]]:
        """Wait for a request, and return it with those that follow it, as (number, text). At the end, return none."""
        taken = os.read(self._first, self._bytes)
        if taken and self._wait_seconds:
            deadline = time.monotonic() + self._wait_seconds
            while len(taken) < self._bytes and (left := deadline - time.monotonic()) > 0:
                if select.select([self._further], [], [], left)[0]:
                    try:
                        more = os.read(self._further, self._bytes - len(taken))
                    except BlockingIOError:
                        continue
                    if not more:
                        break
                    taken += more
        return list(REQUEST.iter_unpack(taken))


class _Waiting:
    """The time for which this process was ready to run but had no CPU, as the kernel counts it for its first thread."""

    def __init__(self) -> None:
        try:
            self._handle: int | None = os.open("/proc/self/schedstat", os.O_RDONLY)
        except OSError:
            self._handle = None

    def nanoseconds(self) -> int:
        """Return the time so far."""
        return int(os.pread(self._handle, 100, 0).split()[1]) if self._handle is not None else UNKNOWN


def serve(
    queue: Queue, answer: Callable[[Sequence[Any]], Any], texts: Sequence[Any], answers: int, worker: int
) -> None:
    """Answer requests until the queue ends.

    Args:
        queue: the queue of this worker.
        answer: the function that makes the predictions for the texts of a batch.
        texts: all texts.
        answers: the handle of the pipe for the answers.
        worker: the number of this worker.
    """
    waiting = _Waiting()
    os.write(
        answers, ANSWER.pack(STARTED, time.monotonic_ns(), time.process_time_ns(), waiting.nanoseconds(), 0, worker)
    )
    while taken := queue.take():
        answer([texts[text] for _, text in taken])
        facts = time.monotonic_ns(), time.process_time_ns(), waiting.nanoseconds(), len(taken), worker
        records = [ANSWER.pack(number, *facts) for number, _ in taken]
        for first in range(0, len(records), _ANSWERS_AT_ONCE):
            os.write(answers, b"".join(records[first : first + _ANSWERS_AT_ONCE]))


if __name__ == "__main__":
    run(main)
