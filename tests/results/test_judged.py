"""Tasks whose texts people judged, as the tables and the report have them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from runner.report.examples import prediction_groups
from runner.report.markdown import render_markdown
from runner.report.terminal import print_summary
from runner.results.collect import collect
from runner.results.ranking import ndcg
from tests.results.judged import INT8, SCORES, cosines_of, ranked, write_pairs, write_queries
from tests.results.synthetic import BASELINE, edit, write_sweep


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """A sweep on pairs with scores."""
    return write_pairs(tmp_path)


def test_correlations_and_their_differences_are_in_the_tables(pairs: Path) -> None:
    tables = collect(pairs)
    baseline, row = tables.summary.to_pylist()
    for name, by_scipy in (("spearman", stats.spearmanr), ("pearson", stats.pearsonr)):
        before, after = (by_scipy(SCORES, cosines_of(job)).statistic for job in (BASELINE, INT8))
        assert (baseline[name], row[name]) == pytest.approx((before, after))
        assert row[f"{name}_difference"] == pytest.approx(after - before)
        assert row[f"{name}_difference_low"] < after - before < row[f"{name}_difference_high"] < 0
        assert baseline[f"{name}_difference"] is None
    assert row["examples"] == 60
    assert row["accuracy"] is row["agreement"] is row["changed_predictions"] is row["cosine_mean"] is None
    own = [p for p in tables.predictions.read().to_pylist() if p["job"] == INT8.key]
    assert [p["score"] for p in own] == SCORES
    assert [p["similarity"] for p in own] == cosines_of(INT8)
    assert {p["cosine"] for p in own} == {p["label"] for p in own} == {None}


def test_the_report_and_the_terminal_show_correlations(pairs: Path) -> None:
    tables = collect(pairs)
    row = tables.summary.to_pylist()[1]
    assert prediction_groups(tables)[0] == []
    page = render_markdown(tables)
    assert f"{row['spearman']:.3f}" in page
    assert f"{row['pearson_difference']:+.3f}".replace("-", "−") in page
    assert "Accuracy" not in page.partition("| ")[2].partition("\n")[0]
    console = Console(file=io.StringIO(), width=90)
    print_summary(tables, console)
    console.file.seek(0)
    assert f"{row['spearman']:.3f}" in console.file.read()


def test_what_is_no_number_has_no_correlation(pairs: Path) -> None:
    edit(pairs / "predictions" / f"{INT8.key}.json", logits=[[float("nan")]] * 60)
    row = collect(pairs).summary.to_pylist()[1]
    assert row["spearman"] is row["pearson"] is row["spearman_difference"] is None
    edit(pairs / "predictions" / f"{INT8.key}.json", logits=[[0.5]] * 60)
    assert collect(pairs).summary.to_pylist()[1]["spearman"] is None, "equal cosines have no order"


def test_random_weights_have_no_correlation(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path, [BASELINE, INT8], labels=[], weights="random")
    for job in (BASELINE, INT8):
        edit(folder / "predictions" / f"{job.key}.json", kind="similarity", label=SCORES, logits=[[0.5]] * 60)
    assert {row["spearman"] for row in collect(folder).summary.to_pylist()} == {None}


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    """A sweep on queries with judged documents."""
    return write_queries(tmp_path)


def test_rankings_and_their_differences_are_in_the_tables(queries: Path) -> None:
    tables = collect(queries)
    baseline, row = tables.summary.to_pylist()
    per_query = {
        job.key: [p for p in tables.predictions.read().to_pylist() if p["job"] == job.key] for job in (BASELINE, INT8)
    }
    for name in ("ndcg_at_10", "mrr_at_10", "recall_at_10", "recall_at_100"):
        before, after = (np.array([p[name] for p in per_query[job.key]]) for job in (BASELINE, INT8))
        assert (baseline[name], row[name]) == pytest.approx((before.mean(), after.mean()))
        interval = stats.t.interval(0.95, 59, loc=(after - before).mean(), scale=stats.sem(after - before))
        found = [row[f"{name}_difference{end}"] for end in ("", "_low", "_high")]
        assert found == pytest.approx([(after - before).mean(), *interval])
        assert baseline[f"{name}_difference"] is None
    assert row["ndcg_at_10_difference_high"] < 0
    assert 0 < row["recall_at_10"] < row["recall_at_100"] < 1
    assert row["spearman"] is row["accuracy"] is row["cosine_mean"] is None
    rankings, judged = ranked(INT8)
    grades = dict(judged[0])
    assert per_query[INT8.key][0]["ndcg_at_10"] == pytest.approx(
        ndcg([grades.get(p, 0) for p in rankings[0]], list(grades.values()), 10)
    )


def test_the_report_shows_rankings(queries: Path) -> None:
    tables = collect(queries)
    row = tables.summary.to_pylist()[1]
    page = render_markdown(tables)
    assert all(title in page for title in ("nDCG@10", "MRR@10", "Recall@10", "Recall@100"))
    assert f"{row['ndcg_at_10']:.3f}" in page


def test_a_query_without_a_ranking(queries: Path) -> None:
    rankings = [None, *ranked(INT8)[0][1:]]
    edit(queries / "predictions" / f"{INT8.key}.json", rankings=rankings)
    row = collect(queries).summary.to_pylist()[1]
    assert row["ndcg_at_10"] is row["recall_at_100_difference"] is None
