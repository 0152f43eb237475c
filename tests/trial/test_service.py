"""A worker of a service: how it takes requests from the pipe, and what it answers."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from runner.trial.loop import Queue, serve
from runner.trial.pipes import ANSWER, REQUEST, REQUESTS, STARTED, waiting_requests
from runner.trial.service import Answers, Pipe

TEXTS = [f"text {number}" for number in range(500)]


@pytest.fixture
def requests(tmp_path: Path) -> int:
    """The pipe of the requests, open for writing; `tmp_path` is its folder."""
    os.mkfifo(tmp_path / REQUESTS)
    return os.open(tmp_path / REQUESTS, os.O_RDWR)


def send(requests: int, *texts: int) -> None:
    for text in texts:
        os.write(requests, REQUEST.pack(100 + text, text))


def test_a_worker_takes_what_waits_up_to_the_largest_batch(tmp_path: Path, requests: int) -> None:
    queue = Queue(Pipe(tmp_path, TEXTS), max_batch_size=3, max_wait_seconds=0)
    send(requests, 0, 1, 2, 3)
    assert waiting_requests(requests) == 4
    assert queue.take() == [(100, "text 0"), (101, "text 1"), (102, "text 2")]
    assert waiting_requests(requests) == 1
    assert queue.take() == [(103, "text 3")]


def test_a_worker_waits_for_further_requests_and_no_longer(tmp_path: Path, requests: int) -> None:
    queue = Queue(Pipe(tmp_path, TEXTS), max_batch_size=2, max_wait_seconds=0.05)
    send(requests, 0)
    began = time.monotonic()
    assert queue.take() == [(100, "text 0")]
    assert time.monotonic() - began >= 0.05
    send(requests, 1)
    threading.Timer(0.01, send, (requests, 2)).start()
    patient = Queue(Pipe(tmp_path, TEXTS), max_batch_size=2, max_wait_seconds=1800)
    assert patient.take() == [(101, "text 1"), (102, "text 2")]


def test_two_workers_never_take_the_same_request(tmp_path: Path, requests: int) -> None:
    taken: list[tuple[int, str]] = []
    queues = [Queue(Pipe(tmp_path, TEXTS), max_batch_size=2, max_wait_seconds=wait) for wait in (0.0, 0.001, 0.001)]

    def take(queue: Queue) -> None:
        while some := queue.take():
            taken.extend(some)

    threads = [threading.Thread(target=take, args=(queue,)) for queue in queues]
    for thread in threads:
        thread.start()
    send(requests, *range(500))
    os.close(requests)  # the end of the queue
    for thread in threads:
        thread.join()
    assert sorted(taken) == [(100 + number, text) for number, text in enumerate(TEXTS)]


def test_every_request_is_answered_with_its_time_and_its_batch(tmp_path: Path, requests: int) -> None:
    answers, written = os.pipe()
    calls: list[list[str]] = []
    send(requests, 2, 0, 1)
    queue = Queue(Pipe(tmp_path, TEXTS), max_batch_size=2, max_wait_seconds=0)
    os.close(requests)
    began = time.monotonic_ns()
    serve(queue, lambda texts: calls.append(list(texts)), Answers(written, worker=5).send)
    ended = time.monotonic_ns()
    assert calls == [["text 2", "text 0"], ["text 1"]]
    started, *found = ANSWER.iter_unpack(os.read(answers, 1 << 16))
    assert (started[0], started[5]) == (STARTED, 5)
    assert [(number, size, worker) for number, *_, size, worker in found] == [(102, 2, 5), (100, 2, 5), (101, 1, 5)]
    assert all(began <= answered <= ended for _, answered, *_ in found)
    assert found[0][1] < found[2][1]


def test_a_large_batch_is_answered_in_whole_records(tmp_path: Path, requests: int) -> None:
    answers, written = os.pipe()
    send(requests, *range(300))
    queue = Queue(Pipe(tmp_path, TEXTS), max_batch_size=300, max_wait_seconds=0)
    os.close(requests)
    serve(queue, lambda _: None, Answers(written, worker=0).send)
    found = list(ANSWER.iter_unpack(os.read(answers, 1 << 16)))
    assert [number for number, *_ in found[1:]] == [100 + text for text in range(300)]
