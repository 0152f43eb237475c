"""Which candidates no other beats in everything: pure functions of summary and trial rows."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runner.results.tables import Row

Interval = tuple[float, float]


@dataclass(frozen=True)
class Candidate:
    """A measured job, and for each objective the interval its value lies in; lower is better in all of them.

    Attributes:
        row: of summary.
        latency: ratio to the baseline, 95% interval; 0 to infinity where there is none yet.
        disk: bytes.
        memory: peak of the process in bytes, lowest and highest of the counted trials.
        error: 1 − accuracy; 0 where there is no accuracy, for then no candidate has one.
    """

    row: Row
    latency: Interval
    disk: Interval
    memory: Interval
    error: Interval

    def dominates(self, other: Candidate) -> bool:
        """Return whether its worst is at least as good as the other's best in all, and better in one.

        Disk and accuracy are the artifact's own, which no further round would change, so they are points: there
        a difference of one example counts.
        """
        both = [
            (self.latency, other.latency),
            (self.disk, other.disk),
            (self.memory, other.memory),
            (self.error, other.error),
        ]
        return all(own[1] <= its[0] for own, its in both) and any(own[1] < its[0] for own, its in both)


def candidates(summary: Sequence[Row], trials: Iterable[Row]) -> list[Candidate]:
    """Return what was measured without failure, baselines included."""
    memory: dict[str, list[float]] = defaultdict(list)
    for trial in trials:
        if trial["status"] == "ok" and trial["included"] and trial["rss_peak_bytes"]:
            memory[trial["job"]].append(float(trial["rss_peak_bytes"]))
    measured = [row for row in summary if row["latency_ratio"] and row["disk_bytes"] and memory[row["job"]]]
    return [_candidate(row, memory[row["job"]]) for row in measured if row["status"] in ("ok", "missing")]


def front(found: Sequence[Candidate]) -> list[Candidate]:
    """Return those that no other of the same baseline dominates, the fastest first."""
    left = [
        one
        for one in found
        if not any(other.dominates(one) for other in found if other.row["baseline_job"] == one.row["baseline_job"])
    ]
    return sorted(left, key=lambda one: float(one.row["latency_ratio"]))


def _candidate(row: Row, memory: Sequence[float]) -> Candidate:
    low, high = row["latency_ratio_low"], row["latency_ratio_high"]
    latency = (float(low), float(high)) if low is not None and high is not None else (0.0, math.inf)
    if row["job"] == row["baseline_job"]:
        latency = (1.0, 1.0)
    disk = float(row["disk_bytes"])
    error = 1 - row["accuracy"] if row["accuracy"] is not None else 0.0
    return Candidate(row, latency, (disk, disk), (min(memory), max(memory)), (error, error))
