"""A load over HTTP, on a server whose capacity is known: one that answers one request at a time."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from runner.config.load import LoadConfig, LoadKind, SloConfig
from runner.errors import UserError
from runner.results.records.load import Probe

pytest.importorskip("mlperf_loadgen", reason="there is no wheel of LoadGen for this Python")

from runner.sweep.load.http import HttpGenerator, capacity_over_http

SECONDS = 0.01
LOAD = LoadConfig("open", LoadKind.open, slo=SloConfig(90.0, 400.0), probe_seconds=0.3)
TEXTS = ["one", "two", ["a", "pair"]]


@contextmanager
def server(reply: Any, idle_seconds: float | None = None) -> Iterator[str]:
    """Serve POST /predict with `reply(text)`, which returns a status and a body. Idle connections are closed."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = idle_seconds

        def do_POST(self) -> None:
            text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["inputs"]
            status, body = reply(text) if self.path == "/predict" else (404, b"")
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 128  # as real servers have; all connections are opened at once
        daemon_threads = True

    running = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_port}"
    finally:
        running.shutdown()
        running.server_close()
        thread.join()


class OneAtATime:
    """Answers one request after the other, each in SECONDS, and remembers the texts."""

    def __init__(self) -> None:
        self._busy, self.texts = threading.Lock(), list[Any]()

    def __call__(self, text: Any) -> tuple[int, bytes]:
        with self._busy:
            self.texts.append(text)
            time.sleep(SECONDS)
        return 200, b'{"predictions": []}'


def test_the_capacity_is_below_what_the_service_can_do_and_all_texts_are_sent() -> None:
    service, probes = OneAtATime(), list[Probe]()
    with server(service) as url:
        found = capacity_over_http(url, TEXTS, LOAD, "0-0", probes.append)
    assert 0 < found.per_second <= 1 / SECONDS
    assert [probe.scenario for probe in probes][:2] == ["offline", "server"]
    assert found.probes == probes
    assert all(probe.completed == probe.queries for probe in probes)
    assert all(text in service.texts for text in TEXTS)


def test_a_latency_counts_from_the_scheduled_arrival(tmp_path: Any) -> None:
    with server(OneAtATime()) as url:
        generator = HttpGenerator(url, TEXTS, LOAD, tmp_path)
        probe = generator.probe({"scenario": "server", "per_second": 3 / SECONDS, "seed": 1, "seconds": 0.5})
        generator.close()
    assert probe.queries == 150
    assert probe.latency_p99_seconds is not None
    assert probe.latency_p99_seconds > 0.6  # what arrives last waits until the others are answered: 1.5 s less 0.5 s
    assert not probe.holds


def test_a_full_queue_is_a_rejected_request(tmp_path: Any) -> None:
    answers = iter([200])  # the text that checks the URL
    with server(lambda text: (next(answers, 503), b"full")) as url:
        generator = HttpGenerator(url, TEXTS, LOAD, tmp_path)
        probe = generator.probe({"scenario": "server", "per_second": 50, "seed": 1, "seconds": 0.2})
        generator.close()
    assert probe.rejected == probe.queries == 10
    assert probe.slo_latency_seconds is None
    assert not probe.holds


def test_a_service_that_rejects_requests_that_arrive_at_once_has_the_throughput_of_the_others(tmp_path: Any) -> None:
    service, places = OneAtATime(), threading.Semaphore(10)

    def reply(text: Any) -> tuple[int, bytes]:
        if not places.acquire(blocking=False):
            return 503, b"full"
        try:
            return service(text)
        finally:
            places.release()

    with server(reply) as url:
        generator = HttpGenerator(url, TEXTS, LOAD, tmp_path)
        probe = generator.probe({"scenario": "offline", "seed": 0, "seconds": 3.0})
        generator.close()
    assert probe.rejected
    assert probe.completed
    assert probe.completed_per_second == pytest.approx(probe.completed / (probe.seconds or 0.0))
    assert 0 < probe.completed_per_second <= 1 / SECONDS


def test_a_service_that_rejects_all_requests_has_no_capacity(tmp_path: Any) -> None:
    answers = iter([200])
    with server(lambda text: (next(answers, 503), b"full")) as url:
        found = capacity_over_http(url, TEXTS, LOAD, "0-0", lambda probe: None)
    assert (found.per_second, found.reason) == (0.0, "the service answered no request when all of them arrived at once")


def test_a_connection_that_the_server_has_closed_is_opened_again(tmp_path: Any) -> None:
    with server(lambda text: (200, b"{}"), idle_seconds=0.05) as url:
        generator = HttpGenerator(url, TEXTS, LOAD, tmp_path)
        for _ in range(3):
            probe = generator.probe({"scenario": "server", "per_second": 300, "seed": 1, "seconds": 0.5})
            assert probe.completed == probe.queries == 150
            time.sleep(0.3)
        generator.close()


def test_another_status_is_an_error(tmp_path: Any) -> None:
    answers = iter([200])
    with server(lambda text: (next(answers, 500), b"broken")) as url:
        generator = HttpGenerator(url, TEXTS, LOAD, tmp_path)
        with pytest.raises(UserError, match="answers a text with status 500: b'broken'"):
            generator.probe({"scenario": "server", "per_second": 50, "seed": 1, "seconds": 0.1})
        generator.close()


def test_a_wrong_url_is_refused_before_anything_is_sent(tmp_path: Any) -> None:
    with pytest.raises(UserError, match="must be that of a service"):
        HttpGenerator("127.0.0.1:8000", TEXTS, LOAD, tmp_path)
    with server(OneAtATime()) as url, pytest.raises(UserError, match="status 404"):
        HttpGenerator(f"{url}/other", TEXTS, LOAD, tmp_path)
    with pytest.raises(UserError, match="Nothing answers at"):
        HttpGenerator(url, TEXTS, LOAD, tmp_path)
