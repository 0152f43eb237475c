"""Find the candidates that no other candidate dominates. Pure functions of the tables of a sweep."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from runner.results.halves import Halves, scores_by_half
from runner.results.pareto import Interval, dominates
from runner.results.tables import Row, Tables

_OF_TRIALS = ["job", "status", "included", "rss_peak_bytes"]


@dataclass(frozen=True)
class Candidate:
    """A measured job, and the interval of its value for each objective. Lower is better in all objectives.

    The intervals of disk and score are points, because further rounds do not change the artifact. So a difference of
    one example decides.

    Attributes:
        row: the row of the summary.
        latency: the 95% interval of the ratio to the baseline, or from 0 to infinity if there is none yet.
        disk: the size in bytes.
        memory: the lowest and the highest peak of the process in bytes, over the included trials.
        error: 1 − the score on the texts that the choice may see. It is 0 if there is no score, because then no
            candidate has one.
        halves: the score on both halves of the texts, or None if there is none.
    """

    row: Row
    latency: Interval
    disk: Interval
    memory: Interval
    error: Interval
    halves: Halves | None = None

    @property
    def objectives(self) -> tuple[Interval, ...]:
        """Return the intervals of all objectives."""
        return self.latency, self.disk, self.memory, self.error

    def dominates(self, other: Candidate) -> bool:
        """Return whether this candidate dominates another candidate with the same baseline."""
        same_baseline = self.row["baseline_job"] == other.row["baseline_job"]
        return same_baseline and dominates(self.objectives, other.objectives)


def candidates(tables: Tables) -> list[Candidate]:
    """Return the jobs that were measured without a failure, including the baselines."""
    memory: dict[str, list[float]] = defaultdict(list)
    for trial in tables.results.select(_OF_TRIALS).to_pylist():
        if trial["status"] == "ok" and trial["included"] and trial["rss_peak_bytes"]:
            memory[trial["job"]].append(float(trial["rss_peak_bytes"]))
    halves = scores_by_half(tables, tables.manifest["seed"])
    measured = [row for row in tables.jobs if row["latency_ratio"] and row["disk_bytes"] and memory[row["job"]]]
    return [
        _candidate(row, memory[row["job"]], halves.get(row["job"]))
        for row in measured
        if row["status"] in ("ok", "missing")
    ]


def front(among: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates that no other candidate dominates, the fastest first."""
    best = [candidate for candidate in among if not any(other.dominates(candidate) for other in among)]
    return sorted(best, key=lambda candidate: float(candidate.row["latency_ratio"]))


def _candidate(row: Row, memory: Sequence[float], halves: Halves | None) -> Candidate:
    low, high = row["latency_ratio_low"], row["latency_ratio_high"]
    latency = (float(low), float(high)) if low is not None and high is not None else (0.0, math.inf)
    if row["job"] == row["baseline_job"]:
        latency = (1.0, 1.0)
    disk = float(row["disk_bytes"])
    error = 1 - halves.selection if halves else 0.0
    return Candidate(row, latency, (disk, disk), (min(memory), max(memory)), (error, error), halves)
