"""Send requests to a service through pipes, inside a box: `python -m runner.trial.generator REQUEST`.

    {"workers": their number, "batching": that of the service, "queue": the most requests that may wait,
     "slo": {"percentile": 99, "milliseconds": 50}, "paths": {"inputs": …, "pipes": …, "output": …}}

The time of an answer is the time at which a worker has the prediction. So the delay until this process notices the
answer does not count.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence

from runner.results.records.measured import to_json
from runner.trial.encoder import read_texts
from runner.trial.loadgen import Answer, LoadGenerator, Used
from runner.trial.pipes import (
    ANSWER,
    ANSWERS,
    ATOMIC_BYTES,
    COMMANDS,
    PROBES,
    REQUEST,
    REQUESTS,
    STARTED,
    UNKNOWN,
    waiting_requests,
)
from runner.trial.request import Paths, Settings, read_request, run
from runner.trial.timing import no_garbage_collection

_ANSWERS_BYTES = ATOMIC_BYTES // ANSWER.size * ANSWER.size


def main() -> None:
    """Wait until the workers are warm, and make the probes that the host asks for until it closes the pipe."""
    request, paths = read_request()
    generator = Generator(request, paths)
    with (paths["pipes"] / COMMANDS).open() as commands, (paths["pipes"] / PROBES).open("w") as probes:
        generator.wait_for_workers()
        print("{}", file=probes, flush=True)
        with no_garbage_collection():
            for line in commands:
                print(to_json(generator.probe(json.loads(line))), file=probes, flush=True)


class Generator(LoadGenerator):
    """The generator, with all pipes open."""

    def __init__(self, request: Settings, paths: Paths) -> None:
        slots = request["workers"] * request["batching"]["max_batch_size"]
        super().__init__(len(read_texts(paths["inputs"])), slots, request["slo"], paths["output"])
        self._workers, self._queue = request["workers"], request["queue"]
        self._requests = os.open(paths["pipes"] / REQUESTS, os.O_WRONLY | os.O_NONBLOCK)
        self._patient_requests = os.open(paths["pipes"] / REQUESTS, os.O_WRONLY)
        self._answers = os.open(paths["pipes"] / ANSWERS, os.O_RDWR)  # a worker that opens it does not wait for others
        self._used = dict[int, Used]()  # by each worker
        self._warm = threading.Event()
        threading.Thread(target=self._read_answers, daemon=True).start()

    def wait_for_workers(self) -> None:
        """Wait until all workers are warm."""
        self._warm.wait()

    def waiting(self) -> int:
        """Return how many requests are in the pipe."""
        return waiting_requests(self._requests)

    def send(self, number: int, text: int) -> bool:
        """Send a request, unless the queue is full."""
        if self.waiting() >= self._queue:
            return False
        try:
            os.write(self._requests, REQUEST.pack(number, text))
        except BlockingIOError:  # the pipe is smaller than the queue
            return False
        return True

    def send_all(self, first: int, texts: Sequence[int]) -> None:
        """Send requests as fast as the pipe takes them."""
        at_once = ATOMIC_BYTES // REQUEST.size
        for start in range(0, len(texts), at_once):
            part = texts[start : start + at_once]
            records = [REQUEST.pack(first + start + place, text) for place, text in enumerate(part)]
            os.write(self._patient_requests, b"".join(records))

    def used(self) -> dict[int, Used]:
        """Return the usage that the workers have reported with their answers."""
        return dict(self._used)

    def _read_answers(self) -> None:
        """Hand the answers to LoadGen as they come."""
        while True:
            answers = []
            for number, answered_ns, cpu_ns, waiting_ns, size, worker in ANSWER.iter_unpack(
                os.read(self._answers, _ANSWERS_BYTES)
            ):
                self._used[worker] = Used(cpu_ns, None if waiting_ns == UNKNOWN else waiting_ns)
                if number != STARTED:
                    answers.append(Answer(number, answered_ns, size))
            self.answered(answers)
            if not answers and len(self._used) == self._workers:
                self._warm.set()


if __name__ == "__main__":
    run(main)
