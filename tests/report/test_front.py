"""Where the names of the Pareto charts go."""

from __future__ import annotations

from runner.report.charts.labels import label_places


def test_names_do_not_cover_each_other() -> None:
    places = label_places([(0.5, 0.5), (0.51, 0.5)], ["one name", "another name"], 1000, 400)
    assert len(set(places)) == 2
    assert label_places([(0.99, 0.5)], ["a long name at the right edge"], 1000, 400)[0].endswith("left")
