"""Correlations by scipy, and how often the intervals of their differences hold the truth."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest
from scipy import stats

from runner.results.correlation import correlation_difference, mean_ranks, pearson, spearman

WITH_TIES = [3.0, 1.0, 3.0, 2.0, 0.5, 3.0, 1.0]
OTHER = [0.9, 0.1, 0.4, 0.8, 0.2, 0.7, 0.7]


def test_correlations_are_scipy_s() -> None:
    assert mean_ranks(WITH_TIES).tolist() == stats.rankdata(WITH_TIES).tolist()
    assert spearman(WITH_TIES, OTHER) == pytest.approx(stats.spearmanr(WITH_TIES, OTHER).statistic)
    assert pearson(WITH_TIES, OTHER) == pytest.approx(stats.pearsonr(WITH_TIES, OTHER).statistic)


def test_what_does_not_vary_has_no_correlation() -> None:
    assert isnan(pearson([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]))
    assert correlation_difference(pearson, [1.0, 2.0, 3.0], [1.0, 1.0, 1.0], [1.0, 2.0, 3.0]) is None
    assert correlation_difference(pearson, [1.0, 2.0], [1.0, 2.0], [1.0, 2.0]) is None


@pytest.mark.parametrize("measure", [pearson, spearman])
def test_equal_sides_do_not_differ(measure: type) -> None:
    found = correlation_difference(measure, WITH_TIES, OTHER, OTHER)
    assert found is not None
    assert (found.value, *found.interval) == (0, 0, 0)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("measure", [pearson, spearman])
def test_intervals_hold_the_true_difference(measure: type, ties: bool) -> None:
    """Scores that people may round to halves, a baseline that follows them, and a variant with more noise."""
    truth, chance, trials, covered = _drawn(np.random.default_rng(3), 400_000, ties), np.random.default_rng(4), 150, 0
    true = measure(truth[0], truth[2]) - measure(truth[0], truth[1])
    for _ in range(trials):
        found = correlation_difference(measure, *_drawn(chance, 60, ties))
        assert found is not None
        low, high = found.interval
        covered += low <= true <= high
    assert 0.92 <= covered / trials <= 0.98


def _drawn(chance: np.random.Generator, pairs: int, ties: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scores = chance.normal(size=pairs)
    before = scores + chance.normal(0, 0.7, pairs)
    after = before + chance.normal(0, 0.4, pairs)
    return np.round(2 * scores) / 2 if ties else scores, before, after
