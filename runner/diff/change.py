"""One measure of one job in A and in B, and the rule that decides whether a change is real."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from runner.results.score import Score
from runner.results.statistics import ALPHA, holm

#: Identical code needs the same anonymous memory within 0.3%, regardless of the state of the page cache.
MEMORY_FLOOR = 1.02
#: Times without a partner (raw latency, load, first call) change with the machine from one sweep to the next. On a
#: shared machine, medians of identical code were up to 15% apart, and loads up to 30%.
TIME_FLOOR = 1.3

RULE = (
    "A change is real if it is significant (95%, Holm across the jobs) and beyond a floor. The floor is both noise "
    f"floors together for latency and capacity against the baseline, {MEMORY_FLOOR - 1:.0%} for the process's own "
    f"memory, and {TIME_FLOOR - 1:.0%} for figures without a partner (raw latency, load, first call, raw capacity). "
    "Memory and figures without a partner must also differ from the machine's own shift from A to B, whose uncertainty "
    "widens the floor. It is the shift of the job's baseline if that is the same software; otherwise, for times, that "
    "of the reference kernel. Any change of disk, predictions, settings or status is real. A score has no floor."
)


@dataclass(frozen=True)
class Measure:
    """A figure that is compared; `up` and `down` name the direction of a change from A to B."""

    name: str
    title: str
    unit: str
    up: str
    down: str


SETTINGS = Measure("settings", "Settings", "", "settings", "settings")
STATUS = Measure("status", "Status", "", "mended", "broken")
RATIO = Measure("latency_ratio", "Latency against the baseline", "ratio", "slower", "faster")
LATENCY = Measure("latency", "Latency", "seconds", "slower", "faster")
CAPACITY_RATIO = Measure("capacity_ratio", "Capacity against the baseline", "ratio", "more-capacity", "less-capacity")
CAPACITY = Measure("capacity", "Capacity", "requests per second", "more-capacity", "less-capacity")
MEMORY = Measure("memory", "Own memory", "bytes", "larger", "smaller")
DISK = Measure("disk", "Disk", "bytes", "larger", "smaller")
LOAD = Measure("load", "Load", "seconds", "slower", "faster")
FIRST_CALL = Measure("first_call", "First call", "seconds", "slower", "faster")
SCORE = Measure("score", "Score", "fraction", "higher-score", "lower-score")
PREDICTIONS = Measure("predictions", "Predictions", "examples", "predictions", "predictions")

MEASURES = (
    *(SETTINGS, STATUS, RATIO, LATENCY, CAPACITY_RATIO, CAPACITY, MEMORY, DISK, LOAD, FIRST_CALL),
    *(SCORE, PREDICTIONS),
)


@dataclass(frozen=True)
class Change:
    """A measure of one job in both sweeps.

    Attributes:
        a, b: the figure in A and in B, in the measure's unit.
        n_a, n_b: the number of trials or examples behind each figure.
        ratio, difference: B ÷ A, or B − A (score; for predictions the number that changed); one of them is None.
        low, high: the 95% interval of the ratio or the difference.
        p_value, p_value_holm: the two-sided p-value of 'no change', alone and adjusted across the jobs.
        floor: the ratio above 1 that a real change must exceed; None for none.
        machine: the machine's own shift as a ratio, which a real change must exceed, too; None if unknown.
        certain: whether the figure is exact, so that it needs no test.
        not_evaluated: why the change is not evaluated; empty if it is.
        note: anything else, such as the settings that differ.
        real: whether the change is real.
        score: the score that changed; None for other measures.
    """

    measure: Measure
    a: float | None = None
    b: float | None = None
    n_a: int = 0
    n_b: int = 0
    ratio: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    p_value_holm: float | None = None
    floor: float | None = None
    machine: float | None = None
    certain: bool = False
    not_evaluated: str = ""
    note: str = ""
    real: bool = False
    score: Score | None = None

    @property
    def title(self) -> str:
        """Return the title of the measure, or that of the score."""
        return self.score.heading if self.score else self.measure.title

    @property
    def size(self) -> float:
        """Return the signed size of the change: a log ratio or a difference."""
        return math.log(self.ratio) if self.ratio else self.difference or 0.0

    @property
    def beyond_machine(self) -> float:
        """Return by how much, signed, the change exceeds both 0 and the machine's own shift; 0 if it lies between."""
        shifts = (0.0, math.log(self.machine or 1.0))
        return max(self.size - max(shifts), 0.0) or min(self.size - min(shifts), 0.0)

    @property
    def direction(self) -> str:
        """Return the word for the direction, such as slower; empty without one."""
        return (self.measure.up if self.size > 0 else self.measure.down) if self.size else ""


def evaluate(changes: Sequence[Change]) -> list[Change]:
    """Evaluate one measure across all jobs.

    A change is real if it is certain, or if it is significant after Holm's adjustment and beyond its floor.
    """
    tested = [i for i, change in enumerate(changes) if change.p_value is not None and not change.not_evaluated]
    adjusted = dict(zip(tested, holm([changes[i].p_value or 0.0 for i in tested]), strict=True))
    return [_evaluated(change, adjusted.get(i)) for i, change in enumerate(changes)]


def _evaluated(change: Change, p_value_holm: float | None) -> Change:
    if change.certain:
        return replace(change, real=change.size != 0 and not change.not_evaluated)
    significant = p_value_holm is not None and p_value_holm < ALPHA
    beyond = abs(change.beyond_machine) > math.log(change.floor or 1.0)
    return replace(change, p_value_holm=p_value_holm, real=significant and beyond)
