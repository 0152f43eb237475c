"""Differences of means and of correlations: by scipy, by hand, and how often their intervals hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from runner.results import paired_bootstrap
from runner.results.paired_bootstrap import Ranked, correlation, correlation_differences, paired_mean_difference

WITH_TIES = [3.0, 1.0, 3.0, 2.0, 0.5, 3.0, 1.0]
OTHER = [0.9, 0.1, 0.4, 0.8, 0.2, 0.7, 0.7]


def test_correlations_are_scipy_s() -> None:
    whole = np.ones((1, len(OTHER)))
    ranks = [Ranked(side).ranks(whole) for side in (WITH_TIES, OTHER)]
    assert ranks[0][0].tolist() == stats.rankdata(WITH_TIES).tolist()
    assert correlation(*ranks, whole)[0] == pytest.approx(stats.spearmanr(WITH_TIES, OTHER).statistic)
    pearson = correlation(np.array(WITH_TIES), np.array(OTHER), whole)[0]
    assert pearson == pytest.approx(stats.pearsonr(WITH_TIES, OTHER).statistic)


def test_a_resample_by_its_counts_is_that_resample() -> None:
    chance = np.random.default_rng(0)
    chosen = chance.integers(len(OTHER), size=(20, len(OTHER)))
    counts = np.array([np.bincount(row, minlength=len(OTHER)) for row in chosen], dtype=float)
    sides = [Ranked(side) for side in (WITH_TIES, OTHER)]
    found = correlation(*(side.ranks(counts) for side in sides), counts)
    for row, value in zip(chosen, found, strict=True):
        expected = stats.spearmanr(np.array(WITH_TIES)[row], np.array(OTHER)[row]).statistic
        assert value == pytest.approx(expected)


def test_equal_sides_do_not_differ() -> None:
    scores, side = WITH_TIES * 4, OTHER * 4
    for difference in (*correlation_differences(scores, side, side), paired_mean_difference(side, side)):
        assert (difference.value, difference.low, difference.high) == (0, 0, 0)


def test_a_mean_s_interval_is_scipy_s_bootstrap() -> None:
    chance = np.random.default_rng(1)
    before, gains = chance.random(80), chance.exponential(0.1, 80) - 0.08
    found = paired_mean_difference(before, before + gains)
    expected = stats.bootstrap((gains,), np.mean, n_resamples=20_000, method="BCa", rng=2).confidence_interval
    assert found.value == pytest.approx(gains.mean())
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.002)


def test_memory_does_not_change_the_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = correlation_differences(WITH_TIES * 4, OTHER * 4, list(reversed(OTHER)) * 4)
    monkeypatch.setattr(paired_bootstrap, "_CELLS", 100)
    assert correlation_differences(WITH_TIES * 4, OTHER * 4, list(reversed(OTHER)) * 4) == whole


@pytest.mark.parametrize("ties", [False, True])
def test_correlations_intervals_hold_the_true_difference(ties: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores that people round to halves, a baseline that follows them, and a variant with more noise."""
    monkeypatch.setattr(paired_bootstrap, "RESAMPLES", 300)
    truth, trials = _drawn(np.random.default_rng(3), 400_000, ties), 200
    true = [float(c(truth[0], truth[2])[0] - c(truth[0], truth[1])[0]) for c in (stats.spearmanr, stats.pearsonr)]
    covered = np.zeros(2)
    chance = np.random.default_rng(4)
    for _ in range(trials):
        found = correlation_differences(*_drawn(chance, 150, ties))
        covered += [own.low <= value <= own.high for own, value in zip(found, true, strict=True)]
    low, high = stats.binom.ppf([0.001, 0.999], trials, 0.95) / trials
    assert ((low <= covered / trials) & (covered / trials <= high)).all(), covered / trials


def test_a_mean_s_interval_holds_the_true_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores from 0 to 1 of queries, most of which do not change, as nDCG of a quantized encoder."""
    monkeypatch.setattr(paired_bootstrap, "RESAMPLES", 500)
    chance, trials, covered = np.random.default_rng(5), 300, 0
    for _ in range(trials):
        before = chance.beta(0.7, 0.7, 200)
        changed = chance.random(200) < 0.4
        after = np.where(changed, before + chance.normal(-0.02, 0.15, 200), before)
        found = paired_mean_difference(before, after)
        covered += found.low <= -0.02 * 0.4 <= found.high
    low, high = stats.binom.ppf([0.001, 0.999], trials, 0.95) / trials
    assert low <= covered / trials <= high


def _drawn(chance: np.random.Generator, pairs: int, ties: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scores = chance.normal(size=pairs)
    before = scores + chance.normal(0, 0.7, pairs)
    after = before + chance.normal(0, 0.4, pairs)
    return np.round(2 * scores) / 2 if ties else scores, before, after
