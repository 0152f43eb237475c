"""A simulated service: requests arrive at random and wait for one of several workers, in the order of their arrival."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from runner.config.load import LoadConfig
from runner.results.records.load import Probe
from runner.sweep.load.capacity import seconds_of_probe


@dataclass
class Queue:
    """An M/G/c queue with lognormal service times; without variation an M/D/c queue.

    Attributes:
        load: the objective, and the length of the probes.
        seconds: the mean service time.
        variation: its standard deviation ÷ its mean.
        workers: how many requests are served at once.
        pauses: the share of the probes in which the service pauses once, for 0.15 seconds.
        seed: of the arrivals and the texts, which are the same in all probes.
        speeds: the standard deviation of the speed of the machine from probe to probe ÷ its mean.
        noise_seed: of the pauses and the speeds.
    """

    load: LoadConfig
    seconds: float
    variation: float = 0.0
    workers: int = 1
    pauses: float = 0.0
    seed: int = 0
    speeds: float = 0.0
    noise_seed: int = 0
    probes: list[Probe] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._noise = np.random.default_rng((self.noise_seed, self.seed))

    def probe(self, rate: float) -> Probe:
        """Simulate a probe at a rate."""
        queries = max(1, int(rate * seconds_of_probe(rate, self.load)))
        arrivals = np.cumsum(np.random.default_rng(self.seed).exponential(1 / rate, queries))
        service = self.service_seconds(queries, self.seed) * (1 + self.speeds * self._noise.standard_normal())
        if self._noise.random() < self.pauses:
            service[self._noise.integers(queries)] += 0.15
        probe = self._record(self._latencies(arrivals, service))
        probe.asked_per_second = rate
        self.probes.append(probe)
        return probe

    def offline(self) -> Probe:
        """Return the probe in which all requests arrive at once."""
        probe = Probe()
        probe.completed_per_second = self.workers / self.seconds
        return probe

    def capacity(self) -> float:
        """Return the rate at which the latency of very many requests is at the bound of the objective."""
        queries = 200_000
        gaps, service = np.cumsum(np.random.default_rng(1).exponential(1, queries)), self.service_seconds(queries, 1)
        low, high = 0.0, self.workers / self.seconds
        for _ in range(12):
            rate = (low + high) / 2
            latency = np.quantile(self._latencies(gaps / rate, service), self.load.slo.percentile / 100)
            low, high = (rate, high) if latency <= self.load.slo.seconds else (low, rate)
        return low

    def service_seconds(self, queries: int, seed: int) -> NDArray[np.float64]:
        """Return the time that each of so many requests takes alone."""
        spread = math.sqrt(math.log(1 + self.variation**2))
        return self.seconds * np.random.default_rng((2, seed)).lognormal(-spread * spread / 2, spread, queries)

    def _latencies(self, arrivals: NDArray[np.float64], service: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.workers == 1:  # each starts when those before it are served
            before = np.cumsum(service) - service
            return np.maximum.accumulate(arrivals - before) + before + service - arrivals
        free = [0.0] * self.workers
        ends = []
        for arrival, seconds in zip(arrivals, service, strict=True):
            ends.append(max(heapq.heappop(free), arrival) + seconds)
            heapq.heappush(free, ends[-1])
        return np.array(ends) - arrivals

    def _record(self, latencies: NDArray[np.float64]) -> Probe:
        probe = Probe()
        probe.queries = probe.completed = len(latencies)
        shares = [0.5, 0.9, 0.99, 0.999, self.load.slo.percentile / 100]
        p50, p90, p99, p999, slo = map(float, np.quantile(latencies, shares))
        probe.latency_p50_seconds, probe.latency_p90_seconds = p50, p90
        probe.latency_p99_seconds, probe.latency_p999_seconds = p99, p999
        probe.slo_latency_seconds, probe.holds = slo, slo <= self.load.slo.seconds
        return probe
