"""Vectors against the baseline's: cosines and neighbours by hand, and as the tables and the report have them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from runner.report.examples import prediction_groups
from runner.report.markdown import render_markdown
from runner.report.terminal import print_summary
from runner.results import similarity
from runner.results.collect import collect
from runner.results.similarity import cosines, mean_interval, neighbour_agreement
from tests.results.synthetic import BASELINE, Job, edit, write_sweep

INT8 = Job("onnx-int8", 0.04, flips=0.5)


def test_cosines_by_hand() -> None:
    found = cosines([[1, 0], [1, 1], [2, 0], [0, 0]], [[5, 0], [0, 3], [-1, 0], [1, 1]])
    assert found == pytest.approx([1, 0.5**0.5, -1, 0])


def test_the_interval_is_student_s() -> None:
    values = [0.99, 0.97, 0.98, 0.995]
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert mean_interval(values) == pytest.approx((np.mean(values), low, high))
    assert mean_interval([0.5]) == (0.5, 0.5, 0.5)


def test_neighbours_by_hand() -> None:
    """Three texts in a row, of which the middle one is nearer to the other end for the variant."""
    before, after = [[1, 0], [1, 0.2], [1, 1]], [[1, 0], [1, 0.8], [1, 1]]
    assert neighbour_agreement(before, before) == 1
    assert neighbour_agreement(before, after) == pytest.approx(2 / 3)
    assert neighbour_agreement(before[:2], after[:2]) is None
    assert neighbour_agreement([[2 * x for x in row] for row in before], before) == 1, "length is nothing to a cosine"


def test_many_texts_are_compared_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similarity, "MAX_NEIGHBOURS", 4)
    chance = np.random.default_rng(0)
    before, after = (chance.normal(size=(9, 5)).tolist() for _ in range(2))
    assert neighbour_agreement(before, after) == neighbour_agreement(before[:4], after[:4])


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    folder = write_sweep(tmp_path, [BASELINE, INT8], labels=[])
    for path in (folder / "predictions").iterdir():
        edit(path, kind="embedding")
    return folder


def test_tables_hold_cosines_and_nothing_that_is_predicted(sweep: Path) -> None:
    tables = collect(sweep)
    baseline, row = tables.summary.to_pylist()
    own = [p for p in tables.predictions.read().to_pylist() if p["job"] == INT8.key]
    vectors = [
        json.loads((sweep / "predictions" / f"{job.key}.json").read_text())["logits"] for job in (BASELINE, INT8)
    ]
    assert [p["cosine"] for p in own] == pytest.approx(cosines(*vectors))
    assert row["cosine_mean"] == pytest.approx(np.mean([p["cosine"] for p in own]))
    assert row["cosine_least"] < row["cosine_low"] < row["cosine_mean"] < row["cosine_high"] < 1
    assert 0 < row["neighbour_agreement"] < 1
    assert baseline["cosine_mean"] is None
    assert row["accuracy"] is row["agreement"] is row["changed_predictions"] is row["kl_mean_nats"] is None
    assert {p["prediction"] for p in own} == {None}
    assert tables.manifest["kinds"] == {"tweets": "embedding"}


def test_the_report_and_the_terminal_show_them(sweep: Path) -> None:
    tables = collect(sweep)
    row = tables.summary.to_pylist()[1]
    assert prediction_groups(tables)[0] == []
    page = render_markdown(tables)
    assert "Same nearest" in page
    assert f"{row['neighbour_agreement']:.1%}" in page
    console = Console(file=io.StringIO(), width=90)
    print_summary(tables, console)
    console.file.seek(0)
    assert f"{row['cosine_mean']:.4f}" in console.file.read()


def test_vectors_that_are_no_numbers_or_of_another_width_are_not_compared(sweep: Path) -> None:
    path = sweep / "predictions" / f"{INT8.key}.json"
    for logits in ([[float("nan"), 0.0, 1.0]] * 60, [[1.0, 0.0]] * 60):
        edit(path, logits=logits)
        assert collect(sweep).summary.to_pylist()[1]["cosine_mean"] is None
