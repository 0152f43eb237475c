"""Predict the latency and the capacity of a service from its calls, by simulating requests that wait for each other.

The calls were measured with a closed load, one after the other. The simulation is an M/G/c queue: requests arrive at
random, each takes the time of a call that is drawn from the measured ones, and c workers answer them in the order of
their arrival. A worker forms batches as runner/trial/service.py does. Nothing here is fitted to the measured capacity,
so the difference between both shows what such a model leaves out: the pipes, and workers that slow each other down.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, median

import numpy as np

from runner.recommend.capacity import Capacity, Objective
from runner.results.tables import Row, Tables

_REQUESTS = 20_000  # of a simulation
_SEED = 20  # of the arrivals and of the calls, which are alike for all variants and rates
_STEPS = 12  # of the bisection, which begins with a factor of 64
_WIDEST = 64


@dataclass(frozen=True)
class Calls:
    """The measured calls of a variant.

    Attributes:
        seconds: the time of each call, with one request.
        growth: what a further request adds to the time of a call, as a fraction of it. Without a measured batch it is
            1, so that a batch saves nothing.
    """

    seconds: np.ndarray
    growth: float = 1.0


@dataclass(frozen=True)
class Model:
    """A simulated service, with the configuration of a measured capacity."""

    calls: Calls
    workers: int = 1
    max_batch_size: int = 1
    max_wait_seconds: float = 0.0

    def latency(self, rate: float, percentile: float) -> float:
        """Return a percentile of the latency at a rate, in seconds."""
        return float(np.percentile(self.latencies(rate), percentile))

    def capacity(self, objective: Objective) -> float:
        """Return the highest rate that keeps an objective; 0 if even 1/64 of the service's maximum does not."""
        high = self._most_per_second
        low = high / _WIDEST
        if self.latency(low, objective.percentile) > objective.seconds:
            return 0.0
        for _ in range(_STEPS):
            rate = math.sqrt(low * high)
            if self.latency(rate, objective.percentile) <= objective.seconds:
                low = rate
            else:
                high = rate
        return low

    def latencies(self, rate: float) -> np.ndarray:
        """Return the latency of each simulated request at a rate, from its arrival to its answer, in seconds."""
        gaps, seconds = self._drawn
        arrivals = np.cumsum(gaps) / rate
        if self.workers == 1 and self.max_batch_size == 1:  # each call starts when those before it have ended
            before = np.cumsum(seconds) - seconds
            ended: np.ndarray = np.maximum.accumulate(arrivals - before) + before + seconds
            return ended - arrivals
        return np.array(self._ends(arrivals.tolist(), seconds.tolist())) - arrivals

    def _ends(self, arrivals: list[float], seconds: list[float]) -> list[float]:
        """Return when each request is answered. The worker that is free first takes the next requests."""
        free, ends = [0.0] * self.workers, list[float]()
        while len(ends) < len(arrivals):
            first = len(ends)
            taken = max(heapq.heappop(free), arrivals[first])
            deadline = taken + self.max_wait_seconds
            last = min(first + self.max_batch_size, bisect_right(arrivals, deadline, first))
            is_full = last - first == self.max_batch_size
            start = max(taken, arrivals[last - 1]) if is_full else deadline
            end = start + seconds[first] * (1 + self.calls.growth * (last - first - 1))
            heapq.heappush(free, end)
            ends += [end] * (last - first)
        return ends

    @property
    def _most_per_second(self) -> float:
        """Return the rate at which all workers are busy with full batches."""
        batch = fmean(self.calls.seconds) * (1 + self.calls.growth * (self.max_batch_size - 1))
        return self.workers * self.max_batch_size / batch

    @cached_property
    def _drawn(self) -> tuple[np.ndarray, np.ndarray]:
        """The gaps between arrivals at a rate of 1, and the time of a call for each request."""
        random = np.random.default_rng(_SEED)
        return random.exponential(1.0, _REQUESTS), random.choice(self.calls.seconds, _REQUESTS)


def model_of(capacity: Capacity, calls: Calls) -> Model:
    """Return the model of a service in the configuration of a capacity."""
    return Model(calls, capacity.workers, capacity.max_batch_size, capacity.max_wait_seconds)


def measured_calls(tables: Tables, jobs: Collection[str]) -> dict[str, Calls]:
    """Return the calls of jobs, in the trials that are ok and in an included round.

    A job whose calls had several texts is left out: they do not show how long one request takes.
    """
    single = {row["job"]: row for row in tables.jobs if row["job"] in jobs and (row["batch_size"] or 1) == 1}
    trials = tables.results.select(["job", "round", "role", "status", "included"]).to_pylist()
    wanted = {
        (trial["job"], trial["round"], trial["role"])
        for trial in trials
        if trial["job"] in single and trial["status"] == "ok" and trial["included"]
    }
    seconds: dict[str, list[float]] = defaultdict(list)
    for part in tables.samples.parts(["job", "round", "role", "latency_seconds"], single):
        for job, number, role, latency in zip(*(column.to_pylist() for column in part.columns), strict=True):
            if (job, number, role) in wanted and latency:
                seconds[job].append(latency)
    batches = _offline_batches(tables, single)
    return {
        job: Calls(np.array(own), _offline_growth(fmean(own), single[job], batches.get(job)))
        for job, own in seconds.items()
    }


def _offline_batches(tables: Tables, jobs: Collection[str]) -> dict[str, tuple[float, float]]:
    """Return the mean batch of the offline probes of each job, and the requests a second: medians over the trials."""
    known: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in tables.load.read(["job", "scenario", "mean_batch", "completed_per_second"], jobs).to_pylist():
        if row["scenario"] == "offline" and row["mean_batch"] and row["completed_per_second"]:
            known[row["job"]].append((row["mean_batch"], row["completed_per_second"]))
    return {job: (median(b for b, _ in probes), median(rate for _, rate in probes)) for job, probes in known.items()}


def _offline_growth(mean_seconds: float, row: Row, offline: tuple[float, float] | None) -> float:
    """Return the growth of calls (see `Calls`) from the full batches of the offline probe; 1 without such batches."""
    if offline is None or offline[0] <= 1:
        return 1.0
    batch, rate = offline
    return growth((row["workers"] or 1) * batch / rate, mean_seconds, batch)


def growth(batch_seconds: float, single_seconds: float, requests: float) -> float:
    """Return what a further request adds to a call, as a fraction of the time of a call with one request.

    Args:
        batch_seconds: the time of a call with several requests.
        single_seconds: the time of a call with one.
        requests: how many the call with several has, which is more than 1.
    """
    return max(0.0, (batch_seconds / single_seconds - 1) / (requests - 1))


def error(predicted: float, measured: float) -> float | None:
    """Return by which fraction a prediction is above the measured value; None if nothing was measured."""
    return predicted / measured - 1 if measured > 0 else None


@dataclass(frozen=True)
class Prediction:
    """What the model expects of one replica.

    Attributes:
        model: the model.
        per_second: its capacity.
    """

    model: Model
    per_second: float


def predictions(tables: Tables, capacities: Mapping[str, Capacity]) -> dict[str, Prediction]:
    """Return what the model expects of the measured capacities of jobs, by the key of the job."""
    found = {}
    for job, calls in measured_calls(tables, capacities).items():
        model = model_of(capacities[job], calls)
        found[job] = Prediction(model, model.capacity(capacities[job].objective))
    return found
