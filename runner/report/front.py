"""Who is beaten by whom in speed and in one more thing at once, as far as one can tell."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """A variant in two dimensions, lower is better in both. `cost` is exact; latency ratios have an interval."""

    latency: float
    low: float
    high: float
    cost: float


@dataclass(frozen=True)
class Standing:
    """Where a point stands.

    Attributes:
        on_front: no other is at least as good in both and better in one, by the estimates.
        beaten: another one is, even if its latency is the highest of its interval and this one's the lowest of its own.
        tied_to: for a point that is neither, the index of the fastest on the front that is at least as good in both.
    """

    on_front: bool
    beaten: bool
    tied_to: int | None = None


def standings(points: Sequence[Point]) -> list[Standing]:
    """Return the standing of each point, in O(n log n)."""
    order = sorted(range(len(points)), key=lambda i: (points[i].latency, points[i].cost))
    on_front: list[int] = []
    for index in order:
        if not on_front or points[index].cost < points[on_front[-1]].cost or _same(points, index, on_front[-1]):
            on_front.append(index)
    fronts = set(on_front)
    best_latencies, best_costs = _best_so_far(points)
    found = []
    for index, point in enumerate(points):
        if index in fronts:
            found.append(Standing(True, False))
        elif _best_before(best_latencies, best_costs, point.low) <= point.cost:
            found.append(Standing(False, True))
        else:
            found.append(Standing(False, False, next(i for i in on_front if points[i].cost <= point.cost)))
    return found


def _same(points: Sequence[Point], one: int, other: int) -> bool:
    return (points[one].latency, points[one].cost) == (points[other].latency, points[other].cost)


def _best_so_far(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    """Return the upper ends of latency in order, and the least cost among all up to each."""
    ordered = sorted((point.high, point.cost) for point in points)
    costs, least = [], math.inf
    for _, cost in ordered:
        least = min(least, cost)
        costs.append(least)
    return [high for high, _ in ordered], costs


def _best_before(latencies: Sequence[float], costs: Sequence[float], latency: float) -> float:
    """Return the least cost among the points that are surely faster than this latency."""
    place = bisect.bisect_left(latencies, latency)
    return costs[place - 1] if place else math.inf
