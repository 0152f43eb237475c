"""Define the config group `load`: how requests arrive, and how a service groups and answers them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from runner.config.checks import at_least, check_name
from runner.errors import UserError

MAX_QUEUE = 4096


class LoadKind(Enum):
    """How requests arrive: one call after the other from one caller, or at random times at a rate."""

    closed = "closed"
    open = "open"


@dataclass
class SloConfig:
    """The service level objective: a percentile of the latency, and the bound that it must keep."""

    percentile: float = 99.0  # the share of the requests, in percent, that must be answered in time
    milliseconds: float = 50.0  # the longest latency of these requests, from their arrival to their answer

    def __post_init__(self) -> None:
        if not 0 < self.percentile < 100:
            raise UserError(f"load.slo.percentile is {self.percentile:g}, but must be above 0 and below 100, as 99 is.")
        if not self.milliseconds > 0:
            raise UserError(f"load.slo.milliseconds is {self.milliseconds:g}, but must be above 0.")

    @property
    def seconds(self) -> float:
        """Return the bound in seconds."""
        return self.milliseconds / 1000


@dataclass
class BatchingConfig:
    """How a worker of the service groups waiting requests into a call."""

    max_batch_size: int = 1  # the most requests in a call
    max_wait_milliseconds: float = 0.0  # how long a worker waits for further requests, if the batch is not full

    def __post_init__(self) -> None:
        at_least("load.batching.max_batch_size", self.max_batch_size, 1)
        at_least("load.batching.max_wait_milliseconds", self.max_wait_milliseconds, 0)


@dataclass
class LoadConfig:
    """How requests arrive. Only `name` and `kind` are read if the kind is closed."""

    name: str = "closed"  # the name in tables and reports
    kind: LoadKind = LoadKind.closed  # closed: one call at a time; open: random arrivals, to find the capacity
    slo: SloConfig = field(default_factory=SloConfig)
    workers: int = 1  # the worker processes of the service; each has `threads` threads
    batching: BatchingConfig = field(default_factory=BatchingConfig)
    queue: int = 256  # the most requests that wait; one that arrives when the queue is full is rejected
    probe_seconds: float = 3.0  # how long requests arrive in a probe; longer at a low rate, to get enough of them

    def __post_init__(self) -> None:
        check_name("load.name", self.name)
        at_least("load.workers", self.workers, 1)
        at_least("load.queue", self.queue, 1)
        at_least("load.probe_seconds", self.probe_seconds, 0.1)
        if isinstance(self.queue, int) and self.queue > MAX_QUEUE:
            raise UserError(f"load.queue is {self.queue}, but must be at most {MAX_QUEUE}, which fit into a pipe.")
        if self.is_open and self.batching.max_wait_milliseconds >= self.slo.milliseconds:
            raise UserError(
                f"load.batching.max_wait_milliseconds is {self.batching.max_wait_milliseconds:g}, but "
                f"load.slo.milliseconds is {self.slo.milliseconds:g}: a request that waits so long for others is late. "
                "Wait for less."
            )

    @property
    def is_open(self) -> bool:
        """Return whether requests arrive at random, so that the capacity is measured."""
        return self.kind is LoadKind.open
