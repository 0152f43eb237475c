"""Non-inferiority against reference implementations and by simulation: coverage, false certificates, power."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np
import pytest
from scipy import optimize, stats

from runner.results.non_inferiority import (
    Paired,
    PairedMeans,
    PairedShares,
    detectable_difference,
    paired_mean_difference,
    paired_score_difference,
    paired_shares,
    quality_verdict,
    units_needed,
)
from runner.results.statistics import ALPHA, holm

MARGIN = 0.01


def _draws(
    chance: np.random.Generator, units: int, loss_rate: float, gain_rate: float, count: int
) -> list[PairedShares]:
    drawn = chance.multinomial(units, [loss_rate, gain_rate, 1 - loss_rate - gain_rate], count).tolist()
    return [PairedShares(units, losses, gains) for losses, gains, _ in drawn]


def _share_of(shares: Iterable[PairedShares], is_true: Callable[[PairedShares], bool]) -> float:
    """Return how many of the draws something is true of; each distinct draw is looked at once."""
    counts = Counter(shares)
    return sum(count for one, count in counts.items() if is_true(one)) / counts.total()


def _covers(paired: Paired, difference: float) -> bool:
    low, high = paired.interval
    return low <= difference <= high


def _reference_score(losses: int, gains: int, units: int, difference: float) -> float:
    """Return Tango's statistic with the most likely rate of losses found by an optimizer."""

    def unlikelihood(rate: float) -> float:
        others = max(1 - 2 * rate - difference, 1e-300)
        terms = [(losses, rate), (gains, rate + difference), (units - losses - gains, others)]
        return -sum(count * math.log(max(share, 1e-300)) for count, share in terms if count)

    ends = (max(0.0, -difference), (1 - difference) / 2)
    rate = float(optimize.minimize_scalar(unlikelihood, bounds=ends, method="bounded", options={"xatol": 1e-12}).x)
    return (gains - losses - units * difference) / math.sqrt(units * (2 * rate + difference - difference**2))


def test_the_score_interval_is_the_published_one() -> None:
    """Seven of 21 children only before, one only after: M. W. Fagerland et al., Statist. Med. 33, 2014."""
    assert PairedShares(21, 7, 1).interval == pytest.approx((-0.517, -0.026), abs=5e-4)
    assert PairedShares(21, 1, 7).interval == pytest.approx((0.026, 0.517), abs=5e-4)


@pytest.mark.parametrize(("units", "losses", "gains"), [(60, 3, 2), (798, 21, 9), (798, 0, 4), (1821, 2, 30)])
def test_the_score_interval_ends_where_the_test_rejects(units: int, losses: int, gains: int) -> None:
    low, high = PairedShares(units, losses, gains).interval
    assert _reference_score(losses, gains, units, low) == pytest.approx(1.96, abs=1e-3)
    assert _reference_score(losses, gains, units, high) == pytest.approx(-1.96, abs=1e-3)


def test_the_interval_of_what_did_not_change_is_not_empty() -> None:
    low, high = PairedShares(798, 0, 0).interval
    assert -low == high == pytest.approx(1.96**2 / (798 + 1.96**2), rel=1e-3)


@pytest.mark.parametrize(
    ("units", "loss_rate", "gain_rate"),
    [(100, 0.05, 0.05), (200, 0.08, 0.02), (800, 0.03, 0.02), (800, 0.1, 0.1), (800, 0.012, 0.004), (5000, 0.01, 0.01)],
)
def test_score_intervals_cover_the_true_difference(units: int, loss_rate: float, gain_rate: float) -> None:
    shares = _draws(np.random.default_rng(0), units, loss_rate, gain_rate, 3000)
    assert 0.92 <= _share_of(shares, lambda one: _covers(one, gain_rate - loss_rate)) <= 0.98


@pytest.mark.parametrize(("losses", "gains", "margin"), [(0, 0, 0.05), (1, 0, 0.1), (2, 3, 0.1), (5, 1, 0.2)])
def test_inferiority_sums_the_tail_over_all_outcomes(losses: int, gains: int, margin: float) -> None:
    units = 25
    observed = _reference_score(losses, gains, units, -margin)
    rate = optimize.brentq(  # the score is (gains − losses + units × margin) ÷ √(units × (2 × rate − margin − margin²))
        lambda own: (gains - losses + units * margin) / math.sqrt(units * (2 * own - margin - margin**2)) - observed,
        margin,
        0.5,
    )
    outcomes = [(a, b) for a in range(units + 1) for b in range(units + 1 - a)]
    chances = stats.multinomial(units, [rate, max(0.0, rate - margin), 1 - rate - max(0.0, rate - margin)])
    tail = sum(
        float(chances.pmf([a, b, units - a - b]))
        for a, b in outcomes
        if _reference_score(a, b, units, -margin) >= observed - 1e-4
    )
    assert PairedShares(units, losses, gains).inferiority_p_value(margin) == pytest.approx(min(1, 2 * tail), rel=2e-3)


def test_inferiority_where_nothing_changed_is_the_chance_to_see_no_loss() -> None:
    assert PairedShares(798, 0, 0).inferiority_p_value(0.01) == pytest.approx(2 * 0.99**798)
    assert PairedShares(798, 8, 0).inferiority_p_value(0.01) == 1


def test_the_p_value_of_no_difference_is_mcnemar_s() -> None:
    shares = paired_shares([True] * 64 + [False] * 36, [True] * 60 + [False] * 4 + [True] * 15 + [False] * 21)
    assert shares == PairedShares(100, 4, 15)
    assert shares.value == pytest.approx(0.11)
    assert shares.p_value == pytest.approx(stats.binomtest(15, 19, 0.5).pvalue)
    assert PairedShares(100, 0, 0).p_value == 1


@pytest.mark.parametrize("gain_rate", [0.0, 0.002, 0.01, 0.05])
def test_a_variant_at_the_margin_is_certified_in_at_most_5_of_100_samples(gain_rate: float) -> None:
    shares = _draws(np.random.default_rng(1), 800, gain_rate + MARGIN, gain_rate, 4000)
    assert _share_of(shares, lambda one: one.inferiority_p_value(MARGIN) < ALPHA) <= 0.035


def test_among_many_variants_at_the_margin_hardly_ever_one_is_certified() -> None:
    """The variants fail on texts that they have in common, as compressed variants of one model do."""
    chance, families, variants, units = np.random.default_rng(2), 1000, 10, 800
    common = chance.binomial(units, MARGIN / 2, (families, 1))
    losses = common + chance.binomial(units, MARGIN, (families, variants))
    gains = chance.binomial(units, MARGIN / 2, (families, variants))
    known: dict[PairedShares, float] = {}
    false = 0
    for own_losses, own_gains in zip(losses.tolist(), gains.tolist(), strict=True):
        family = [PairedShares(units, *pair) for pair in zip(own_losses, own_gains, strict=True)]
        for one in family:
            if one not in known:
                known[one] = one.inferiority_p_value(MARGIN)
        false += min(holm([known[one] for one in family])) < ALPHA
    assert false / families <= ALPHA


@pytest.mark.parametrize(
    ("pilot", "undecided", "word"),
    [
        (PairedShares(800, 24, 20), 1, "equivalent"),
        (PairedShares(800, 40, 40), 10, "equivalent"),
        (PairedShares(800, 8, 6), 1, "equivalent"),
        (PairedShares(800, 30, 24), 3, "worse"),
    ],
)
def test_the_texts_needed_decide_with_80_percent_probability(pilot: PairedShares, undecided: int, word: str) -> None:
    needed = units_needed(pilot, MARGIN, undecided)
    assert needed is not None
    rates = (pilot.losses / pilot.units, pilot.gains / pilot.units)
    shares = _draws(np.random.default_rng(3), needed, *rates, 500)

    def verdict(one: PairedShares) -> str:
        adjusted = (min(1.0, undecided * p) for p in (one.p_value, one.inferiority_p_value(MARGIN)))
        return quality_verdict(one.value, *adjusted)

    assert 0.74 <= _share_of(shares, lambda one: verdict(one) == word) <= 0.9


def test_more_texts_are_needed_than_there_are_and_none_decide_between_a_loss_of_the_margin_and_none() -> None:
    assert (units_needed(PairedShares(300, 0, 0), MARGIN) or 0) > 300
    assert units_needed(PairedMeans(0.0, 0.0, 50), 0.0) is None


def test_the_detectable_difference_is_the_margin_that_is_certified_in_80_of_100_samples() -> None:
    pilot = PairedShares(2000, 50, 50)
    margin = detectable_difference(pilot)
    shares = _draws(np.random.default_rng(4), 2000, 0.025, 0.025, 500)
    assert 0.74 <= _share_of(shares, lambda one: one.inferiority_p_value(margin) < ALPHA) <= 0.86
    assert detectable_difference(PairedShares(800, 0, 0)) == pytest.approx(1.96**2 / (800 + 1.96**2), rel=1e-3)


def _queries(chance: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return scores of queries, of which three in ten change; the mean change is −0.003."""
    before = chance.beta(2, 2, count)
    changes = np.where(chance.random(count) < 0.3, chance.choice([-0.2, -0.1, 0.1, 0.18], count), 0.0) - 0.0015
    return before, before + changes


def test_a_difference_of_means_is_student_s() -> None:
    before, after = _queries(np.random.default_rng(5), 40)
    ours, theirs = paired_mean_difference(before.tolist(), after.tolist()), stats.ttest_rel(after, before)
    assert (ours.value, ours.p_value) == pytest.approx((np.mean(after - before), theirs.pvalue))
    assert ours.interval == pytest.approx(tuple(theirs.confidence_interval(0.95)))
    one_sided = stats.ttest_1samp(after - before, -0.05, alternative="greater").pvalue
    assert ours.inferiority_p_value(0.05) == pytest.approx(2 * one_sided)


def test_a_mean_without_scatter_is_the_value_alone() -> None:
    same = paired_mean_difference([0.5, 0.75], [0.5, 0.75])
    assert (same.interval, same.p_value, same.inferiority_p_value(MARGIN)) == ((0, 0), 1, 0)
    lower = paired_mean_difference([0.5, 0.75], [0.25, 0.5])
    assert (lower.p_value, lower.inferiority_p_value(MARGIN)) == (0, 1)


def test_intervals_of_means_over_queries_cover_the_true_difference() -> None:
    chance = np.random.default_rng(6)
    drawn = [paired_mean_difference(*map(list, _queries(chance, 225))) for _ in range(1000)]
    assert 0.92 <= np.mean([_covers(one, -0.003) for one in drawn]) <= 0.98
    certified = [one.inferiority_p_value(0.003) < ALPHA for one in drawn]
    assert np.mean(certified) <= 0.04


def _correlation_difference(truth: np.ndarray, before: np.ndarray, after: np.ndarray) -> PairedMeans:
    sides = np.array([truth, before, after])

    def score(places: np.ndarray) -> float:
        _, with_before, with_after = np.corrcoef(sides[:, places])[0]
        return float(with_after - with_before)

    return paired_score_difference(score, len(truth))


def test_a_score_that_is_a_mean_has_the_jackknife_s_interval_of_student() -> None:
    before, after = _queries(np.random.default_rng(7), 30)
    ours = paired_score_difference(lambda places: float((after - before)[places].mean()), 30)
    reference = paired_mean_difference(before.tolist(), after.tolist())
    assert (ours.value, ours.deviation) == pytest.approx((reference.value, reference.deviation))


def test_intervals_of_correlations_cover_the_true_difference() -> None:
    chance = np.random.default_rng(8)

    def sample(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        truth = chance.normal(size=count)
        before = truth + 0.6 * chance.normal(size=count)
        return truth, before, before + 0.25 * chance.normal(size=count)

    truth, before, after = sample(400_000)
    difference = np.corrcoef(truth, after)[0, 1] - np.corrcoef(truth, before)[0, 1]
    drawn = [_correlation_difference(*sample(60)) for _ in range(250)]
    assert 0.92 <= np.mean([_covers(one, float(difference)) for one in drawn]) <= 0.98


@pytest.mark.parametrize(
    ("difference", "p_value", "inferiority", "word"),
    [
        (0.02, 0.01, 1e-6, "better"),
        (0.001, 0.8, 0.01, "equivalent"),
        (-0.004, 0.01, 0.02, "equivalent"),
        (-0.02, 0.01, 1.0, "worse"),
        (-0.004, 0.3, 0.2, "undecided"),
        (0.004, 0.3, 0.06, "undecided"),
    ],
)
def test_the_verdict(difference: float, p_value: float, inferiority: float, word: str) -> None:
    assert quality_verdict(difference, p_value, inferiority) == word
