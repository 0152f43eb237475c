"""Pareto dominance: which of several things are worse than another one in every respect. Lower is always better."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Interval = tuple[float, float]  # lowest and highest


def dominates(one: Sequence[Interval], other: Sequence[Interval]) -> bool:
    """Return whether the first is better than the second, also at the ends of their intervals.

    In every objective the highest value of the first is at least as good as the lowest of the second, and in one it is
    better.

    Args:
        one, other: the interval of each objective.
    """
    pairs = list(zip(one, other, strict=True))
    return all(own[1] <= its[0] for own, its in pairs) and any(own[1] < its[0] for own, its in pairs)


def count_dominating(objectives: np.ndarray) -> np.ndarray:
    """Return how many earlier rows are at least as good as each row in every column, [rows].

    Args:
        objectives: [rows, columns], the preferred row first where two are equal.
    """
    counts = [int((objectives[:place] <= row).all(axis=1).sum()) for place, row in enumerate(objectives)]
    return np.array(counts, dtype=int)


@dataclass(frozen=True)
class Point:
    """A variant in two objectives: a latency with its interval, and a cost that is exact."""

    latency: float
    low: float
    high: float
    cost: float


@dataclass(frozen=True)
class ParetoStatus:
    """The place of a point among others.

    Attributes:
        on_front: no other point dominates it by the estimates alone.
        dominated: another point dominates it even if the intervals of both latencies are considered.
        tied_to: for a point that is neither, the fastest point on the front that is at least as good in both.
    """

    on_front: bool
    dominated: bool
    tied_to: int | None = None


def pareto_status(points: Sequence[Point]) -> list[ParetoStatus]:
    """Return the status of each point, in O(n log n)."""
    order = sorted(range(len(points)), key=lambda i: (points[i].latency, points[i].cost))
    front: list[int] = []
    for index in order:
        if not front or points[index].cost < points[front[-1]].cost or _equal(points[index], points[front[-1]]):
            front.append(index)
    on_front, costs = set(front), _LowestCosts(points)
    statuses = []
    for index, point in enumerate(points):
        if index in on_front:
            statuses.append(ParetoStatus(True, False))
        elif costs.below(point.low) <= point.cost or costs.up_to(point.low) < point.cost:
            statuses.append(ParetoStatus(False, True))
        else:
            statuses.append(ParetoStatus(False, False, next(i for i in front if points[i].cost <= point.cost)))
    return statuses


def _equal(one: Point, other: Point) -> bool:
    return (one.latency, one.cost) == (other.latency, other.cost)


class _LowestCosts:
    """The lowest cost among all points whose latency is surely below a bound."""

    def __init__(self, points: Sequence[Point]) -> None:
        ordered = sorted((point.high, point.cost) for point in points)
        self._highs = [high for high, _ in ordered]
        self._costs = [math.inf]
        for _, cost in ordered:
            self._costs.append(min(self._costs[-1], cost))

    def below(self, latency: float) -> float:
        return self._costs[bisect.bisect_left(self._highs, latency)]

    def up_to(self, latency: float) -> float:
        return self._costs[bisect.bisect_right(self._highs, latency)]
