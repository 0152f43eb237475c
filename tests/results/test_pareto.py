"""Pareto dominance against its definition, applied to every pair."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from runner.results.pareto import Point, count_dominating, dominates, pareto_status

_COORDINATE = st.integers(0, 6).map(float)


@st.composite
def _points(draw: st.DrawFn) -> Point:
    latency = draw(_COORDINATE)
    below, above = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    return Point(latency, latency - below, latency + above, draw(_COORDINATE))


def _estimates(point: Point) -> list[tuple[float, float]]:
    return [(point.latency, point.latency), (point.cost, point.cost)]


def _intervals(point: Point) -> list[tuple[float, float]]:
    return [(point.low, point.high), (point.cost, point.cost)]


def test_the_worse_one_in_one_objective_and_the_better_one_in_none_is_dominated() -> None:
    assert dominates([(1, 2), (5, 5)], [(3, 4), (5, 5)])
    assert dominates([(1, 2), (5, 5)], [(2, 4), (6, 6)])
    assert not dominates([(1, 2), (6, 6)], [(3, 4), (5, 5)])
    assert not dominates([(1, 3), (5, 5)], [(2, 4), (6, 6)]), "the intervals overlap"
    assert not dominates([(1, 1), (5, 5)], [(1, 1), (5, 5)]), "twins"


@given(st.lists(_points(), min_size=1, max_size=12))
def test_the_status_is_as_defined(points: list[Point]) -> None:
    for point, status in zip(points, pareto_status(points), strict=True):
        assert status.on_front == (not any(dominates(_estimates(other), _estimates(point)) for other in points))
        surely = any(dominates(_intervals(other), _intervals(point)) for other in points)
        assert status.dominated == (surely and not status.on_front)
        if not status.on_front and not status.dominated:
            assert status.tied_to is not None
            assert dominates(_estimates(points[status.tied_to]), _estimates(point))


@given(st.lists(st.tuples(_COORDINATE, _COORDINATE, _COORDINATE), max_size=12))
def test_dominating_rows_are_counted_as_one_by_one(rows: list[tuple[float, float, float]]) -> None:
    expected = [
        sum(all(own <= its for own, its in zip(other, row, strict=True)) for other in rows[:place])
        for place, row in enumerate(rows)
    ]
    assert count_dominating(np.array(rows).reshape(len(rows), 3)).tolist() == expected
