"""Put an open load on a service that answers over HTTP, with the same arrivals, texts and search as in a sweep."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from runner.config.load import LoadConfig
from runner.errors import UserError
from runner.results.records.load import Probe
from runner.sweep.load.capacity import Capacity, find_capacity, seconds_of_probe, seed_of_arrivals
from runner.trial.loadgen import Answer, LoadGenerator, Used

_CONNECTIONS = 64  # if all of them are busy, a request waits for one, and its latency includes the wait
_TIMEOUT_SECONDS = 60.0  # the longest wait for an answer
_HEADERS = {"Content-Type": "application/json"}
_FULL = 503  # the status of a request that the service rejects because its queue is full


class HttpGenerator(LoadGenerator):
    """Connections to a service, each with a thread that sends one request after the other.

    Args:
        url: where the service answers, such as http://127.0.0.1:8000.
        texts: the texts, as the service takes them.
        load: the load.
        folder: the folder in which LoadGen writes its logs.

    Raises:
        UserError: if the URL is not that of a service, or if nothing answers there.
    """

    def __init__(self, url: str, texts: Sequence[Any], load: LoadConfig, folder: Path) -> None:
        slo = {"percentile": load.slo.percentile, "milliseconds": load.slo.milliseconds}
        super().__init__(len(texts), load.workers * load.batching.max_batch_size, slo, folder)
        address = urlsplit(url)
        if address.scheme != "http" or not address.hostname:
            raise UserError(f"The URL is '{url}', but must be that of a service, such as http://127.0.0.1:8000.")
        self._url, self._host, self._port = url, address.hostname, address.port or 80
        self._path = f"{address.path.rstrip('/')}/predict"
        self._bodies = [json.dumps({"inputs": text}).encode() for text in texts]
        self._requests: SimpleQueue[tuple[int, int] | None] = SimpleQueue()
        self._failure: str | None = None
        self._threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(_CONNECTIONS)]
        self._check()
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Close all connections."""
        for _ in self._threads:
            self._requests.put(None)
        for thread in self._threads:
            thread.join()

    def probe(self, command: dict[str, Any]) -> Probe:
        """Make a probe; see `LoadGenerator.probe`.

        Raises:
            UserError: if the service gives an unexpected answer.
        """
        probe = super().probe(command)
        if self._failure:
            raise UserError(self._failure)
        return probe

    def waiting(self) -> None:
        """Return None, because the queue is in the service."""

    def send(self, number: int, text: int) -> bool:
        """Give a request to the next free connection."""
        self._requests.put((number, text))
        return True

    def send_all(self, first: int, texts: Sequence[int]) -> None:
        """Give requests to the connections."""
        for place, text in enumerate(texts):
            self._requests.put((first + place, text))

    def used(self) -> dict[int, Used]:
        """Return no usage, because the usage of the workers is not known."""
        return {}

    def _check(self) -> None:
        """Send one text, so that a wrong URL is refused before LoadGen starts."""
        try:
            status, reply = self._post(self._connect(), self._bodies[0])
        except (OSError, http.client.HTTPException) as error:
            raise UserError(f"Nothing answers at {self._url} ({error}). Start the service first.") from None
        if status != http.client.OK:
            raise UserError(f"{self._url} answers a text with status {status}: {reply[:200]!r}.")

    def _serve(self) -> None:
        connection = self._connect()
        while request := self._requests.get():
            number, text = request
            try:
                status, reply = self._post_again(connection, self._bodies[text])
            except (OSError, http.client.HTTPException) as error:
                self._failure = f"{self._url} ended a connection: {type(error).__name__}: {error}."
                connection.close()  # it connects again with the next request
                status = _FULL
            answered_ns = time.monotonic_ns()
            if status not in (http.client.OK, _FULL):
                self._failure = f"{self._url} answers a text with status {status}: {reply[:200]!r}."
            self.answered([Answer(number, answered_ns if status == http.client.OK else None)])
        connection.close()

    def _post_again(self, connection: http.client.HTTPConnection, body: bytes) -> tuple[int, bytes]:
        """Send a text. Send it once more if the server has closed the connection, as it may after some idle seconds."""
        try:
            return self._post(connection, body)
        except ConnectionError:
            connection.close()  # it connects again
            return self._post(connection, body)

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._host, self._port, timeout=_TIMEOUT_SECONDS)

    def _post(self, connection: http.client.HTTPConnection, body: bytes) -> tuple[int, bytes]:
        connection.request("POST", self._path, body, _HEADERS)
        response = connection.getresponse()
        return response.status, response.read()


def capacity_over_http(
    url: str, texts: Sequence[Any], load: LoadConfig, round_: str, say: Callable[[Probe], None]
) -> Capacity:
    """Find the capacity of a service that answers over HTTP.

    Args:
        url: the URL of the service.
        texts: the texts, as the service takes them.
        load: the load, which has the objective.
        round_: a text that fixes the arrivals; see `seed_of_arrivals`.
        say: a function that gets each probe.

    Raises:
        UserError: if nothing answers there, or if the service gives an unexpected answer.
    """
    seed = seed_of_arrivals(round_)
    with TemporaryDirectory() as folder:
        generator = HttpGenerator(url, texts, load, Path(folder))

        def probe(command: dict[str, Any]) -> Probe:
            made = generator.probe(command)
            say(made)
            return made

        def at_rate(rate: float) -> Probe:
            seconds = seconds_of_probe(rate, load)
            return probe({"scenario": "server", "per_second": rate, "seed": seed, "seconds": seconds})

        try:
            offline = probe({"scenario": "offline", "seed": 0, "seconds": load.probe_seconds})
            return find_capacity(at_rate, offline, load)
        finally:
            generator.close()
