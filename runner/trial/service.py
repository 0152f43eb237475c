"""Serve requests with some workers inside a box: `python -m runner.trial.service REQUEST`.

    {"engine": the engine's name, "plugin": its module or null, "threads": each worker's number of threads,
     "cpus": the CPUs of all workers, "workers": their number,
     "batching": {"max_batch_size": 1, "max_wait_milliseconds": 0},
     "warmup_seconds": the time for each worker, "paths": {"artifact": …, "inputs": …, "pipes": …, "output": …}}

Each worker is a process with its own model on its own cores. There is no dispatcher: a worker that is free takes the
next requests from the pipe, which is the queue (see runner/trial/pipes.py), and writes the answers. Its loop is the
same as in the services that `pinbox export` writes (see runner/trial/loop.py). The service ends when no process has the
pipe open for writing, and fails when a worker fails.
"""

from __future__ import annotations

import os
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
from runner.trial.loop import Queue, Request, serve
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
        queue = Queue(Pipe(paths["pipes"], texts), size, wait_milliseconds / 1000)
        serve(queue, answer, Answers(os.open(paths["pipes"] / ANSWERS, os.O_WRONLY), number).send)


class Pipe:
    """The pipe of the requests, as a worker reads it.

    Args:
        folder: the folder of the pipes.
        texts: all texts.
    """

    def __init__(self, folder: Path, texts: Sequence[Any]) -> None:
        self._first = os.open(folder / REQUESTS, os.O_RDONLY)
        self._further = os.open(folder / REQUESTS, os.O_RDONLY | os.O_NONBLOCK)  # another worker may be faster
        self._texts = texts

    def fileno(self) -> int:
        """Return the handle that can be read when a request waits, and at the end."""
        return self._further

    def wait(self, most: int) -> list[Request]:
        """Wait for a request, and return those that wait then; see `runner.trial.loop.Requests`."""
        return self._read(self._first, most)

    def further(self, most: int) -> list[Request]:
        """Return the requests that wait now; see `runner.trial.loop.Requests`."""
        return self._read(self._further, most)

    def _read(self, handle: int, most: int) -> list[Request]:
        records = os.read(handle, most * REQUEST.size)
        return [(number, self._texts[text]) for number, text in REQUEST.iter_unpack(records)]


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


class Answers:
    """The pipe of the answers, as a worker writes it. The first record says that the worker is warm.

    Args:
        handle: the handle of the pipe.
        worker: the number of this worker.
    """

    def __init__(self, handle: int, worker: int) -> None:
        self._handle, self._worker, self._waiting = handle, worker, _Waiting()
        os.write(handle, ANSWER.pack(STARTED, *self._now(), 0, worker))

    def send(self, numbers: Sequence[int], _: Any = None) -> None:
        """Write that the requests with these numbers, which were one batch, are answered now."""
        facts = *self._now(), len(numbers), self._worker
        records = [ANSWER.pack(number, *facts) for number in numbers]
        for first in range(0, len(records), _ANSWERS_AT_ONCE):
            os.write(self._handle, b"".join(records[first : first + _ANSWERS_AT_ONCE]))

    def _now(self) -> tuple[int, int, int]:
        return time.monotonic_ns(), time.process_time_ns(), self._waiting.nanoseconds()


if __name__ == "__main__":
    run(main)
