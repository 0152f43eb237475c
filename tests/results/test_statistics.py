"""The statistics against scipy and against worked examples; test_coverage.py has the simulation."""

from __future__ import annotations

import math
import random

import pytest
from scipy import stats

from runner.results.statistics import (
    Estimate,
    StudentT,
    compare,
    estimate_ratio,
    holm,
    noise_floor,
    paired_log_ratio,
    student_t,
    t_quantile,
    verdict,
    wilson_interval,
)


def test_calls_are_paired_within_their_turn() -> None:
    variant = {0: [0.2, 0.4], 1: [0.6, 0.8]}
    partner = {1: [0.3, 0.4], 0: [0.1, 0.2]}
    assert paired_log_ratio(variant, partner) == pytest.approx(math.log(2))


def test_pairs_that_met_two_speeds_do_not_move_the_ratio() -> None:
    quiet = {turn: [0.1 + 0.001 * turn] * 2 for turn in range(5)}
    disturbed = {turn: [9.0 if turn == 1 else seconds for seconds in calls] for turn, calls in quiet.items()}
    assert paired_log_ratio(disturbed, quiet) == 0


def test_only_common_turns_and_calls_count() -> None:
    assert paired_log_ratio({0: [0.2, 9.0], 1: [9.0]}, {0: [0.1], 2: [9.0]}) == pytest.approx(math.log(2))
    assert paired_log_ratio({0: [0.2]}, {1: [0.1]}) is None
    assert paired_log_ratio({}, {}) is None


@pytest.mark.parametrize("values", [2, 3, 8, 500])
def test_student_t_agrees_with_scipy(values: int) -> None:
    chance = random.Random(values)
    sample = [chance.gauss(0.02, 0.05) for _ in range(values)]
    found, expected = student_t(sample), stats.ttest_1samp(sample, 0)
    interval = expected.confidence_interval(0.95)
    assert found.estimate == pytest.approx(sum(sample) / values)
    assert found.error == pytest.approx(stats.sem(sample))
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.half_width == pytest.approx((interval.high - interval.low) / 2)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert t_quantile(values - 1) == pytest.approx(stats.t.ppf(0.975, values - 1))


def test_student_t_without_an_error_is_certain() -> None:
    assert (StudentT(0.0, 0.0, 3).p_value, StudentT(0.5, 0.0, 3).p_value) == (1.0, 0.0)
    assert (StudentT(0.5, 0.0, 3).low, StudentT(0.5, 0.0, 3).high) == (0.5, 0.5)


@pytest.mark.parametrize("rounds", [2, 3, 8, 20])
def test_estimate_agrees_with_scipy(rounds: int) -> None:
    chance = random.Random(rounds)
    logs = [chance.gauss(-0.1, 0.05) for _ in range(rounds)]
    found, expected = estimate_ratio(logs), stats.ttest_1samp(logs, 0)
    interval = expected.confidence_interval(0.95)
    assert found is not None
    assert found.ratio == pytest.approx(stats.gmean([math.exp(x) for x in logs]))
    assert (found.low, found.high) == pytest.approx((math.exp(interval.low), math.exp(interval.high)))
    assert found.p_value == pytest.approx(expected.pvalue)


def test_one_round_has_no_interval_and_none_no_ratio() -> None:
    single = estimate_ratio([math.log(0.5)])
    assert single is not None
    assert single.ratio == pytest.approx(0.5)
    assert single.low is single.high is single.p_value is None
    assert estimate_ratio([]) is None


def test_rounds_that_agree_exactly() -> None:
    same, half = estimate_ratio([0.0, 0.0]), estimate_ratio([-0.5, -0.5])
    assert same is not None
    assert same.p_value == 1
    assert half is not None
    assert half.p_value == 0
    assert half.low == half.high == half.ratio


def test_holm_by_a_worked_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize("centre", [-0.02, 0.0, 0.3])
def test_comparing_two_lists_agrees_with_scipy(centre: float) -> None:
    chance = random.Random(7)
    one = [chance.gauss(centre, 0.01) for _ in range(8)]
    other = [chance.gauss(0, 0.05) for _ in range(5)]
    found, expected = compare(one, other), stats.ttest_ind(one, other, equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert found is not None
    assert found.ratio == pytest.approx(stats.gmean(list(map(math.exp, one))) / stats.gmean(list(map(math.exp, other))))
    assert (found.low, found.high) == pytest.approx((math.exp(interval.low), math.exp(interval.high)))
    assert found.p_value == pytest.approx(expected.pvalue)


def test_comparing_too_little_or_what_agrees_exactly() -> None:
    assert compare([], [0.0]) is None
    assert compare([0.0], [-1.0, -1.0]) == Estimate(math.e)
    assert compare([0.5, 0.5], [0.5, 0.5]) == Estimate(1.0, 1.0, 1.0, 1.0)
    assert compare([1.0, 1.0], [0.0, 0.0]) == Estimate(math.e, math.e, math.e, 0.0)


def test_half_width_is_a_fraction_of_the_ratio() -> None:
    assert Estimate(2.0, 2.0 / 1.1, 2.0 * 1.1, 0.01).half_width == pytest.approx(0.1)
    assert Estimate(2.0).half_width is None


def test_noise_floor_is_the_farther_end_of_the_interval_of_identical_code() -> None:
    higher, lower = [0.00, 0.01, 0.02], [0.00, -0.01, -0.02]
    estimate = estimate_ratio(higher)
    assert estimate is not None
    assert noise_floor(higher) == noise_floor(lower) == pytest.approx(estimate.high)
    assert noise_floor([0.0, 0.0]) == 1
    assert noise_floor([0.1]) is noise_floor([]) is None


def test_verdict_needs_significance_and_more_than_the_floor() -> None:
    faster, slower = estimate_ratio([-0.10, -0.11, -0.09]), estimate_ratio([0.10, 0.11, 0.09])
    assert verdict(faster, 0.01, 1.02) == "faster"
    assert verdict(slower, 0.01, 1.02) == "slower"
    assert verdict(faster, 0.06, 1.02) == "tie"
    assert verdict(faster, 0.01, 1.12) == "tie"
    assert verdict(faster, 0.01, None) is None
    assert verdict(estimate_ratio([-1.0]), None, 1.01) is None


@pytest.mark.parametrize(("successes", "n"), [(0, 5), (5, 5), (70, 100), (702, 829)])
def test_wilson_agrees_with_scipy(successes: int, n: int) -> None:
    expected = stats.binomtest(successes, n).proportion_ci(method="wilson")
    assert wilson_interval(successes, n) == pytest.approx((expected.low, expected.high), abs=1e-12)
