"""Control a service and its load generator from outside their boxes: start both, ask for probes, and end both."""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import tempfile
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from runner.config.load import LoadConfig
from runner.errors import MachineError
from runner.isolation.box import Box, BoxEnd, BoxOrder, stop
from runner.results.records.load import Probe
from runner.store.locks import close, lock_folder
from runner.trial.pipes import COMMANDS, PIPES, PROBES, REQUEST, REQUESTS

_LIFETIME_SECONDS = 7 * 24 * 3600.0  # both boxes end with this process at the latest
_EXIT_SECONDS = 5.0  # a box that has not ended by then is killed
_READ_BYTES = 1 << 16
#: The pipes that this process opens, with flags that let it open them without waiting for another process.
_OPENED = {PROBES: os.O_RDONLY | os.O_NONBLOCK, COMMANDS: os.O_RDWR, REQUESTS: os.O_RDWR}


class ServiceFailedError(Exception):
    """The service or its load generator did not start, or ended too early. The text is one line with the reason."""


class Service:
    """A started service with its load generator, each in a box of its own. All their files are gone after `close`.

    Args:
        box: the kind of both boxes.
        service: the order of the service; see `service_orders`. Its output folder is replaced.
        generator: the order of the generator. Its output folder is replaced.
        folder: the folder in which the pipes and the output folders are made.

    Attributes:
        folder: the folder with the pipes and the boxes' output folders.

    Raises:
        ServiceFailedError: if one of the boxes does not start in time.
        MachineError: if the engine, the disk or a core is gone.
    """

    def __init__(self, box: Box, service: BoxOrder, generator: BoxOrder, folder: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="service-", dir=folder)).absolute()
        self._lock = lock_folder(self.folder)
        self._handles = dict[str, int]()
        self._boxes: list[_RunningBox] = []
        self._text = b""
        self._is_asked = True  # the generator has not answered yet
        self._seconds = service.timeout_seconds
        try:
            self._make_pipes(service.request["queue"])
            for name, order in (("service", service), ("load generator", generator)):
                self._boxes.append(_RunningBox(name, box, self._complete(order), self._handles["ended"]))
            self._answer(self._seconds)  # the generator writes a line when the workers are warm
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Return the service."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the service."""
        self.close()

    def probe(self, rate: float, seed: int, seconds: float) -> Probe:
        """Let requests arrive at random for some seconds, and return how they were answered.

        Args:
            rate: the mean number of requests in a second.
            seed: the seed of the arrivals and of the choice of texts.
            seconds: how long requests arrive.

        Raises:
            ServiceFailedError: if a box ends, or if the probe takes too long.
            MachineError: if the engine, the disk or a core is gone.
        """
        return self._ask({"scenario": "server", "per_second": rate, "seed": seed, "seconds": seconds})

    def offline(self, seconds: float) -> Probe:
        """Let as many requests wait from the beginning as the service answers in about this many seconds.

        Raises:
            ServiceFailedError: if a box ends, or if the probe takes too long.
            MachineError: if the engine, the disk or a core is gone.
        """
        return self._ask({"scenario": "offline", "seed": 0, "seconds": seconds})

    def close(self) -> None:
        """Let both boxes end, and remove their files."""
        self._close(COMMANDS, REQUESTS)  # the generator ends with the first pipe, then the workers with the second
        deadline = time.monotonic() + (0 if self._is_asked else _EXIT_SECONDS)  # a running probe would not stop
        for running in self._boxes:
            running.end(deadline)
        self._close(*self._handles)
        if self.folder.exists():
            shutil.rmtree(self.folder, ignore_errors=True)
            close(self._lock)

    def _make_pipes(self, queue: int) -> None:
        self.folder.chmod(0o755)
        for name in PIPES:
            os.mkfifo(self.folder / name)
            (self.folder / name).chmod(0o666)
        for name, flags in _OPENED.items():
            self._handles[name] = os.open(self.folder / name, flags)
        requests = self._handles[REQUESTS]
        if fcntl.fcntl(requests, fcntl.F_GETPIPE_SZ) < queue * REQUEST.size:
            fcntl.fcntl(requests, fcntl.F_SETPIPE_SZ, queue * REQUEST.size)
        self._handles["end"], self._handles["ended"] = os.pipe()

    def _close(self, *names: str) -> None:
        for name in names:
            if name in self._handles:
                os.close(self._handles.pop(name))

    def _complete(self, order: BoxOrder) -> BoxOrder:
        """Return an order with its own output folder, the pipes, and the longest lifetime."""
        output = self.folder / order.module
        output.mkdir()
        inputs = order.inputs | {"pipes": self.folder}
        return replace(order, inputs=inputs, output=output, timeout_seconds=_LIFETIME_SECONDS)

    def _ask(self, command: dict[str, Any]) -> Probe:
        self._is_asked = True
        os.write(self._handles[COMMANDS], f"{json.dumps(command)}\n".encode())
        return msgspec.json.decode(self._answer(command["seconds"] + self._seconds), type=Probe)

    def _answer(self, seconds: float) -> bytes:
        """Wait for a line from the generator, and return it."""
        deadline = time.monotonic() + seconds
        probes, end = self._handles[PROBES], self._handles["end"]
        poll = select.poll()
        poll.register(probes, select.POLLIN)
        poll.register(end, select.POLLIN)
        while b"\n" not in self._text:
            ready = dict(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))
            if end in ready or (probes in ready and not self._read(probes)):
                raise self._failure()
            if not ready:
                raise ServiceFailedError("the service did not answer in time (isolation.timeout_seconds)")
        line, _, self._text = self._text.partition(b"\n")
        self._is_asked = False
        return line

    def _read(self, probes: int) -> bool:
        """Read what the generator wrote, and return whether it wrote something."""
        found = os.read(probes, _READ_BYTES)
        self._text += found
        return bool(found)

    def _failure(self) -> Exception:
        """Return the error to raise because a box has ended. It is the error of the box that ended first."""
        select.select([self._handles["end"]], [], [], _EXIT_SECONDS)
        ended = [running for running in self._boxes if running.ended_at is not None]
        if not ended:
            return ServiceFailedError("the load generator closed its pipe")
        first = min(ended, key=lambda running: running.ended_at or 0.0)
        if isinstance(first.error, MachineError):
            return first.error
        return ServiceFailedError(f"the {first.name} {first.reason()}")


class _RunningBox:
    """A box that runs in a thread.

    Attributes:
        name: what is in the box.
        ended_at: when the box ended, or None while it runs.
        error: the error that was raised instead of running the box to its end.
    """

    def __init__(self, name: str, box: Box, order: BoxOrder, ended: int) -> None:
        self.name = name
        self.ended_at: float | None = None
        self.error: Exception | None = None
        self._end: BoxEnd | None = None
        self._thread = threading.Thread(target=self._run, args=(box, order, ended), daemon=True)
        self._thread.start()

    def reason(self) -> str:
        """Return a line that says why the box has ended."""
        if self._end is None:
            return f"failed: {type(self.error).__name__}: {self.error}"
        return self._end.reason()

    def end(self, deadline: float) -> None:
        """Wait until the box has ended, and kill it at the deadline."""
        self._thread.join(max(0.0, deadline - time.monotonic()))
        while self._thread.is_alive():
            stop(self._thread)
            self._thread.join(1)

    def _run(self, box: Box, order: BoxOrder, ended: int) -> None:
        try:
            self._end = box.run(order)
        except Exception as error:  # `Service` raises it
            self.error = error
        self.ended_at = time.monotonic()
        os.write(ended, b".")


def service_orders(order: BoxOrder, load: LoadConfig, cpus: list[int]) -> tuple[BoxOrder, BoxOrder]:
    """Return the orders of the service and of the load generator.

    Args:
        order: the order of a trial, whose model is served.
        load: the load.
        cpus: the cores of both. The generator gets the first one, which serves the most interrupts.
    """
    shared = {name: value for name, value in asdict(load).items() if name in ("workers", "batching", "queue", "slo")}
    request = order.request | shared | {"warmup_seconds": order.request["measure"]["warmup_seconds"]}
    cores = load.workers * order.request["threads"]
    of_service, of_generator = cpus[-cores:], cpus[:-cores]
    service = replace(order, module="runner.trial.service", request=request | {"cpus": of_service}, cpus=of_service)
    generator = replace(
        order,
        module="runner.trial.generator",
        request=shared,
        inputs={"inputs": order.inputs["inputs"]},
        cpus=of_generator,
        quota_cpus=None,
        plugin=None,
    )
    return service, generator
