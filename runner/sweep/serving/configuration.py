"""Define the configurations of a service, and the goal of a search for the best one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from runner.recommend.capacity import Capacity, Objective

BATCH = 8  # the number of requests in a call if batching is tried
_WAITS = (0.0, 0.1)  # how long a worker waits for further requests, as shares of the objective's bound


@dataclass(frozen=True, order=True)
class Variant:
    """A technique with a number of threads: what one worker of a service runs."""

    technique: str
    threads: int

    @property
    def block(self) -> dict[str, Any]:
        """Return its block of a grid, with one request in a call."""
        return {"technique": self.technique, "threads": self.threads, "workload.batch_size": 1}


@dataclass(frozen=True, order=True)
class Configuration:
    """A service: how many workers run a variant, and how each of them groups requests into calls."""

    variant: Variant
    workers: int
    max_batch_size: int
    max_wait_milliseconds: float

    @property
    def block(self) -> dict[str, Any]:
        """Return its block of a grid."""
        return self.variant.block | {
            "load.workers": self.workers,
            "load.batching.max_batch_size": self.max_batch_size,
            "load.batching.max_wait_milliseconds": self.max_wait_milliseconds,
        }

    @property
    def label(self) -> str:
        """Return its name in a line of the terminal."""
        batches = ""
        if self.max_batch_size > 1:
            wait = f", waiting {self.max_wait_milliseconds:g} ms" if self.max_wait_milliseconds else ""
            batches = f", batches of up to {self.max_batch_size}{wait}"
        return f"{self.variant.technique}, {self.workers} × {self.variant.threads}{batches}"


@dataclass(frozen=True)
class Wanted:
    """The goal of a search.

    Attributes:
        techniques: the names of the candidates.
        cores: the number of the service's cores.
        objective: the objective for the latency.
    """

    techniques: Sequence[str]
    cores: int
    objective: Objective

    @property
    def variants(self) -> list[Variant]:
        """Return the candidates with each number of threads; see `threads`."""
        return [Variant(technique, threads) for technique in self.techniques for threads in self.threads]

    @property
    def threads(self) -> list[int]:
        """Return the numbers of threads that a worker may have: 1, 2, 4 … and the number of cores."""
        powers = (2**power for power in range(self.cores.bit_length()))
        return sorted({threads for threads in powers if threads <= self.cores} | {self.cores})

    def configurations(self, variant: Variant) -> Iterator[Configuration]:
        """Yield the configurations of a variant that use as many cores as possible, the one without batching first."""
        workers = self.cores // variant.threads
        yield Configuration(variant, workers, 1, 0.0)
        for wait in _WAITS:
            yield Configuration(variant, workers, BATCH, round(wait * 1000 * self.objective.seconds, 3))


def configuration_of(technique: str, capacity: Capacity) -> Configuration:
    """Return the configuration in which a capacity was measured."""
    wait_milliseconds = round(1000 * capacity.max_wait_seconds, 3)
    variant = Variant(technique, capacity.threads)
    return Configuration(variant, capacity.workers, capacity.max_batch_size, wait_milliseconds)
