"""What a job's quality is measured by, and that every part of the program takes it."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from runner.diff.compare import Compared, diff
from runner.diff.messages import sentence
from runner.recommend.choose import choose
from runner.recommend.decision_data import decision_data
from runner.recommend.messages import limits_line, why
from runner.report.charts.front import front_charts
from runner.report.view import groups
from runner.results.collect import collect
from runner.results.correlation import correlation_interval, spearman
from runner.results.halves import scores_by_half
from runner.results.score import SCORE_OF_COLUMN, score_of
from runner.results.tables import Tables
from runner.sweep.search.pareto import candidates, front
from runner.sweep.search.terminal import print_front
from tests.results.judged import write_pairs, write_queries
from tests.results.synthetic import write_sweep

WRITERS: dict[str, Callable[[Path], Path]] = {
    "accuracy": lambda folder: write_sweep(folder, texts=[f"text {'abcdefgh'[i % 8]} {i}" for i in range(60)]),
    "spearman": write_pairs,
    "ndcg_at_10": write_queries,
}


@pytest.fixture(params=list(WRITERS))
def judged(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Tables]:
    """A sweep, and the column of its score."""
    return request.param, collect(WRITERS[request.param](tmp_path / "sweep"))


def test_the_score_of_a_task_is_limited_by_its_own_name(judged: tuple[str, Tables]) -> None:
    column, tables = judged
    score = SCORE_OF_COLUMN[column]
    baseline, *_ = tables.jobs
    assert score_of(baseline) is score
    (data,) = decision_data(tables)
    worst = min(row[column] for row in tables.jobs)
    limits = {"score": (worst + baseline[column]) / 2}
    chosen = choose(data, limits)
    assert all(data.variants[place].values["score"] >= limits["score"] for place in chosen.fitting)
    assert 0 < len(chosen.fitting) < len(data.variants)
    assert limits_line(data, limits).startswith(f"{score.title} ≥ ")
    said = " ".join(why(data, chosen, limits, None))
    assert f"{score.title} " in said
    assert ("resamples of rounds and texts" in said) == (column == "accuracy"), "only accuracy is resampled by text"


def test_the_front_draws_the_score(judged: tuple[str, Tables]) -> None:
    column, tables = judged
    score = SCORE_OF_COLUMN[column]
    (group,) = groups(tables)
    first = front_charts(group)[0]
    assert first.figure["layout"]["yaxis"]["title"]["text"].startswith(score.title)
    values = [row[column] / score.factor for row in tables.jobs]
    drawn = {round(y, 6) for trace in first.figure["data"][1:] for y in trace["y"]}
    assert drawn == {round(max(value, max(values) - 0.2 / score.factor), 6) for value in values}
    assert score.title in group.lead


def test_halves_are_scored_as_the_whole_is(judged: tuple[str, Tables]) -> None:
    column, tables = judged
    for job, halves in scores_by_half(tables, 0).items():
        whole = next(row[column] for row in tables.jobs if row["job"] == job)
        ends = sorted([halves.selection, halves.held_out])
        assert ends[0] - 0.1 <= whole <= ends[1] + 0.1
        assert halves.interval[0] <= halves.held_out <= halves.interval[1]
        assert halves.score.column == column


def test_a_search_prefers_and_prints_the_score(judged: tuple[str, Tables]) -> None:
    column, tables = judged
    found = candidates(tables)
    assert all(one.halves and one.error == (1 - one.halves.selection,) * 2 for one in found)
    console = Console(file=io.StringIO(), width=160)
    print_front(front(found), console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert SCORE_OF_COLUMN[column].heading in text
    assert "that the search did not use" in text


def _change(a: Tables, b: Tables, technique: str) -> tuple[Compared, str]:
    job = next(one for one in diff(a, b).compared if one.pair.a.row["technique"] == technique)
    change = job.change("score")
    assert change is not None
    return job, sentence(change)


def test_a_score_that_changed_is_found(tmp_path: Path) -> None:
    before, after = (collect(write_pairs(tmp_path / name, noise)) for name, noise in (("a", 0.2), ("b", 1.5)))
    job, said = _change(before, after, "onnx-int8")
    assert [change.direction for change in job.real if change.measure.name == "score"] == ["lower-score"]
    rows = [next(row for row in side.jobs if row["technique"] == "onnx-int8") for side in (before, after)]
    assert said.startswith(f"Spearman {rows[0]['spearman']:.3f} → {rows[1]['spearman']:.3f}, ")
    same, _ = _change(before, before, "onnx-int8")
    assert not same.real


def test_rankings_are_compared_query_by_query(tmp_path: Path) -> None:
    tables = collect(write_queries(tmp_path))
    baseline, variant = (row["ndcg_at_10"] for row in tables.jobs)
    as_before = {"technique": "onnx-int8", "job": tables.jobs[1]["job"]}
    job, said = _change(tables, tables, as_before["technique"])
    assert said.startswith(f"nDCG@10 {variant:.3f} → {variant:.3f}, ")
    assert baseline > variant
    assert not job.real


def test_the_interval_of_a_correlation_covers_it() -> None:
    """In 95% of samples from a normal distribution with a correlation of 0.6 (Pearson's; Spearman's is 0.582)."""
    chance = np.random.default_rng(0)
    true, hits = 6 / np.pi * np.arcsin(0.6 / 2), 0
    for _ in range(200):
        x, y = chance.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], 80).T
        low, high = correlation_interval(spearman, x, y)
        hits += low <= true <= high
    assert 0.9 <= hits / 200 <= 0.99
    assert correlation_interval(spearman, [1, 2], [2, 3]) == (-1.0, 1.0)
