"""The measured capacity of a variant: the rate that one replica of its configuration holds."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from runner.results.format import milliseconds, pluralize
from runner.results.statistics import student_t
from runner.results.tables import Row


@dataclass(frozen=True, order=True)
class Objective:
    """A percentile of the latency in percent, and the bound that it must keep."""

    percentile: float
    seconds: float

    def __str__(self) -> str:
        return f"p{self.percentile:g} ≤ {milliseconds(self.seconds)}"


@dataclass(frozen=True)
class Capacity:
    """The rate that one replica holds, in requests a second.

    Attributes:
        objective: the objective that it keeps at this rate.
        workers: the worker processes of a replica.
        threads: the threads of each worker.
        max_batch_size: the most requests that a worker answers with one call.
        max_wait_seconds: how long a worker waits for further requests.
        per_second: the geometric mean over the rounds; 0 if no rate keeps the objective in some round.
        low, high: the ends of its 95% interval; None after a single round.
        rounds: how many rounds measured it.
    """

    objective: Objective
    workers: int
    threads: int
    max_batch_size: int
    max_wait_seconds: float
    per_second: float
    low: float | None
    high: float | None
    rounds: int

    @property
    def cores(self) -> int:
        """Return the cores of a replica."""
        return self.workers * self.threads

    @property
    def safe_per_second(self) -> float:
        """Return the rate to count on: the lower end of the interval, or the capacity where there is none."""
        return self.per_second if self.low is None else self.low

    @property
    def configuration(self) -> str:
        """Return the configuration of a replica, as '2 workers × 1 thread, batches of up to 8 within 2.00 ms'."""
        batches = ""
        if self.max_batch_size > 1:
            batches = f", batches of up to {self.max_batch_size} within {milliseconds(self.max_wait_seconds)}"
        return f"{pluralize(self.workers, 'worker')} × {pluralize(self.threads, 'thread')}{batches}"


def measured_capacity(row: Row, trials: Iterable[Row]) -> Capacity | None:
    """Return the capacity of a job with its 95% interval, or None if it was not measured.

    The interval is Student's t on the logarithms of the rounds. It is of the capacity itself, not of its ratio to the
    baseline, so it includes differences in the machine's speed between rounds.

    Args:
        row: the row of the job in the summary.
        trials: its trials that are ok and in an included round.
    """
    known: dict[int, list[float]] = defaultdict(list)
    for trial in trials:
        if trial["capacity_per_second"] is not None:
            known[trial["round"]].append(trial["capacity_per_second"])
    if not known:
        return None
    per_second, low, high = _interval([*known.values()])
    return Capacity(
        objective=Objective(row["slo_percentile"], row["slo_seconds"]),
        workers=row["workers"],
        threads=row["threads"],
        max_batch_size=row["max_batch_size"],
        max_wait_seconds=row["max_wait_seconds"],
        per_second=per_second,
        low=low,
        high=high,
        rounds=len(known),
    )


def _interval(rounds: Sequence[Sequence[float]]) -> tuple[float, float | None, float | None]:
    """Return the geometric mean of the rounds, and its 95% interval."""
    if min(map(min, rounds)) <= 0:
        return 0.0, None, None
    logs = [fmean(map(math.log, capacities)) for capacities in rounds]
    if len(logs) == 1:
        return math.exp(logs[0]), None, None
    mean = student_t(logs)
    return math.exp(mean.estimate), math.exp(mean.low), math.exp(mean.high)
