"""Who is beaten by whom, against the definition written out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.report.charts.labels import label_places
from runner.report.front import Point, standings

_COORDINATE = st.integers(0, 6).map(float)


@st.composite
def _points(draw: st.DrawFn) -> Point:
    latency = draw(_COORDINATE)
    below, above = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    return Point(latency, latency - below, latency + above, draw(_COORDINATE))


@given(st.lists(_points(), min_size=1, max_size=12))
def test_standings_are_as_defined(points: list[Point]) -> None:
    def beats(one: Point, other: Point) -> bool:
        both = ((one.latency, other.latency), (one.cost, other.cost))
        return all(own <= its for own, its in both) and any(own < its for own, its in both)

    for point, standing in zip(points, standings(points), strict=True):
        assert standing.on_front == (not any(beats(other, point) for other in points))
        surely = any(other.high < point.low and other.cost <= point.cost for other in points)
        assert standing.beaten == (surely and not standing.on_front)
        if not standing.on_front and not standing.beaten:
            assert standing.tied_to is not None
            winner = points[standing.tied_to]
            assert beats(winner, point)


def test_names_do_not_cover_each_other() -> None:
    places = label_places([(0.5, 0.5), (0.51, 0.5)], ["one name", "another name"], 1000, 400)
    assert len(set(places)) == 2
    assert label_places([(0.99, 0.5)], ["a long name at the right edge"], 1000, 400)[0].endswith("left")
