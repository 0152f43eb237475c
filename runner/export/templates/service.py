"""Serve this folder's model over HTTP: `python service.py --port 8000`; see README.md.

    POST /predict  {"inputs": one text, or a list of texts}  ->  {"predictions": one for each text, in order}
    GET /health    200 while all workers run
    GET /metrics   in the text format of Prometheus

This process reads requests and writes responses. Worker processes, each with its own model, take the texts from one
socket and answer them in batches; see worker.py and loop.py. A text that arrives when the queue is full is rejected
with 503. The service ends when a worker ends, and its port is open only after all of them are warm.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

HERE = Path(__file__).resolve().parent
SERVICE = json.loads((HERE / "settings.json").read_text(encoding="utf-8"))["service"]
WORKERS, MAX_BATCH_SIZE = SERVICE["workers"], SERVICE["max_batch_size"]
MOST_TEXTS = SERVICE["queue"] + WORKERS * MAX_BATCH_SIZE  # the texts that wait, and those in the workers' batches
TEXT_BYTES = 1 << 15  # a longer text is refused
BODY_BYTES = 1 << 23  # a longer body is refused
MESSAGE_BYTES = 1 << 20  # no message of a worker is longer
STARTED = -1  # instead of a request's number: a worker is warm
STOP_SECONDS = 10.0  # how long the requests that are being answered may take when the service stops

SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
SIZES = [2**power for power in range(MAX_BATCH_SIZE.bit_length() + 1)]
texts_total = Counter("predict_texts", "Texts by outcome.", ["outcome"])
seconds_of_texts = Histogram("predict_seconds", "Time from the arrival of a text to its answer.", buckets=SECONDS)
sizes_of_batches = Histogram("predict_batch_size", "Size of the batch in which a text was answered.", buckets=SIZES)
texts_inside = Gauge("predict_texts_inside", "Texts that wait or are in a worker's batch.")
workers_running = Gauge("predict_workers", "Worker processes that run.")


class RefusedError(Exception):
    """A request that gets no predictions. It has the status of the response, and the reason."""

    def __init__(self, status: int, reason: str, outcome: str = "invalid", texts: int = 1) -> None:
        super().__init__(reason)
        self.status, self.outcome, self.texts = status, outcome, texts


class Workers:
    """The worker processes, and the texts that they have not answered yet.

    Attributes:
        failure: the reason why the service ends, or None while all workers run.
    """

    def __init__(self, on_failure: Callable[[], None]) -> None:
        self.failure: str | None = None
        self._on_failure = on_failure
        self._socket, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setblocking(False)
        self._sending = asyncio.Lock()
        self._numbers = itertools.count()
        self._inside: dict[int, tuple[float, asyncio.Future[bytes]]] = {}
        self._processes: list[asyncio.subprocess.Process] = []
        self._watches: list[asyncio.Task[None]] = []
        self._ready = asyncio.Event()
        self._warm = 0

    async def start(self) -> None:
        """Start the workers, and wait until all of them are warm, or one of them has ended."""
        asyncio.get_running_loop().add_reader(self._socket, self._receive)
        handle, environment = self._theirs.fileno(), os.environ | SERVICE["environment"]
        for number in range(WORKERS):
            command = [sys.executable, str(HERE / "worker.py"), str(handle), str(number)]
            process = await asyncio.create_subprocess_exec(*command, pass_fds=[handle], env=environment)
            self._processes.append(process)
            self._watches.append(asyncio.create_task(self._watch(number, process)))
            workers_running.inc()
        self._theirs.close()
        await self._ready.wait()
        if self.failure:
            await self.stop()
            raise RuntimeError(self.failure)

    async def stop(self) -> None:
        """Let the workers end, and kill those that do not."""
        for watch in self._watches:
            watch.cancel()
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
        ends = [asyncio.create_task(process.wait()) for process in self._processes]
        await asyncio.wait(ends, timeout=STOP_SECONDS)
        for process in self._processes:
            if process.returncode is None:
                process.kill()
        await asyncio.gather(*ends)

    async def predict(self, messages: list[bytes]) -> list[bytes]:
        """Return the answers to texts. Both are in JSON."""
        if self.failure or len(self._inside) + len(messages) > MOST_TEXTS:
            raise RefusedError(503, self.failure or "The queue is full.", "rejected", len(messages))
        loop, now = asyncio.get_running_loop(), time.monotonic()
        numbers = list(itertools.islice(self._numbers, len(messages)))
        self._inside |= {number: (now, loop.create_future()) for number in numbers}
        answers = [self._inside[number][1] for number in numbers]
        texts_inside.set(len(self._inside))
        try:
            async with self._sending:
                for number, message in zip(numbers, messages, strict=True):
                    await loop.sock_sendall(self._socket, b"%d %s" % (number, message))
        except ConnectionError:
            raise RefusedError(503, "All workers have ended.", "lost", len(messages)) from None
        return await asyncio.gather(*answers)

    def _receive(self) -> None:
        """Read the answers that have come."""
        while True:
            try:
                message = self._socket.recv(MESSAGE_BYTES)
            except BlockingIOError:
                break
            except ConnectionResetError:
                message = b""
            if not message:  # all workers have ended, and `_watch` reports this
                asyncio.get_running_loop().remove_reader(self._socket)
                break
            number, size, answer = message.split(b" ", 2)
            if int(number) == STARTED:
                self._warm += 1
                if self._warm == WORKERS:
                    self._ready.set()
                continue
            arrived, future = self._inside.pop(int(number))
            seconds_of_texts.observe(time.monotonic() - arrived)
            sizes_of_batches.observe(int(size))
            if not future.done():
                future.set_result(answer)
        texts_inside.set(len(self._inside))

    async def _watch(self, number: int, process: asyncio.subprocess.Process) -> None:
        """Fail when a worker ends. The texts that it has taken are lost, and nobody knows which ones those are."""
        code = await process.wait()
        workers_running.dec()
        self.failure = self.failure or f"Worker {number} ended with exit code {code}."
        print(self.failure, file=sys.stderr, flush=True)
        for _, future in self._inside.values():
            if not future.done():
                future.set_exception(RefusedError(503, self.failure, "lost"))
        self._ready.set()
        self._on_failure()


async def predict(request: Request) -> Response:
    """Answer POST /predict."""
    try:
        messages = read_texts(await read_body(request))
        answers = await request.app.state.workers.predict(messages)
        if failed := sum(not answer for answer in answers):
            raise RefusedError(500, "The model failed on a text of this request or of its batch.", "failed", failed)
    except RefusedError as refused:
        texts_total.labels(refused.outcome).inc(refused.texts)
        headers = {"Retry-After": "1"} if refused.status == 503 else None
        return JSONResponse({"error": str(refused)}, refused.status, headers)
    texts_total.labels("answered").inc(len(answers))
    return Response(b'{"predictions": [%s]}' % b", ".join(answers), media_type="application/json")


async def read_body(request: Request) -> bytes:
    """Return the body of a request, unless it is too long."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_BYTES:
            raise RefusedError(413, f"The body has more than {BODY_BYTES} bytes.")
    return bytes(body)


def read_texts(body: bytes) -> list[bytes]:
    """Return the texts of a request, each in JSON."""
    wanted = {"text": "a string", "pair": "a list of two strings", "words": "a list of strings, the words"}
    try:
        inputs = json.loads(body)["inputs"]
        texts = [inputs] if is_text(inputs) else inputs
        if not isinstance(texts, list) or not all(map(is_text, texts)):
            raise ValueError
        messages = [json.dumps(text, ensure_ascii=False).encode() for text in texts]
    except (ValueError, KeyError, TypeError, RecursionError):
        text = f"{wanted[SERVICE['input']]}, in Unicode"
        raise RefusedError(
            400, f'The body must be {{"inputs": …}} with one text or a list of them. A text is {text}.'
        ) from None
    if any(len(message) > TEXT_BYTES for message in messages):
        raise RefusedError(413, f"A text has more than {TEXT_BYTES} bytes.", texts=len(messages))
    if len(messages) > MOST_TEXTS:
        raise RefusedError(413, f"The request has more than {MOST_TEXTS} texts.", texts=len(messages))
    return messages


def is_text(value: Any) -> bool:
    """Return whether a value can be evaluated."""
    if SERVICE["input"] == "text":
        return isinstance(value, str)
    is_strings = isinstance(value, list) and bool(value) and all(isinstance(part, str) for part in value)
    return is_strings and (SERVICE["input"] == "words" or len(value) == 2)


async def health(request: Request) -> Response:
    """Answer GET /health."""
    failure = request.app.state.workers.failure
    return JSONResponse({"status": failure or "ok"}, 503 if failure else 200)


async def metrics(_: Request) -> Response:
    """Answer GET /metrics."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def make_app(on_failure: Callable[[], None]) -> Starlette:
    """Return the ASGI app. It calls `on_failure` when a worker has ended."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.workers = Workers(on_failure)
        await app.state.workers.start()
        yield
        await app.state.workers.stop()

    routes = [
        Route("/predict", predict, methods=["POST"]),
        Route("/health", health),
        Route("/metrics", metrics),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve this folder's model over HTTP.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    arguments = parser.parse_args()
    failed = False

    def stop() -> None:
        nonlocal failed
        failed = server.should_exit = True

    config = uvicorn.Config(
        make_app(stop),
        host=arguments.host,
        port=arguments.port,
        access_log=False,
        timeout_graceful_shutdown=int(STOP_SECONDS),
    )
    server = uvicorn.Server(config)
    server.run()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
