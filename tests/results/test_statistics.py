"""The statistics against scipy, against worked examples, and by simulation."""

from __future__ import annotations

import math
import random

import pytest
from scipy import special, stats

from runner.results.statistics import (
    accuracy,
    changed_predictions,
    confusion_matrix,
    estimate_ratio,
    holm,
    log_ratio,
    macro_f1,
    noise_floor,
    softmax,
    total_variation,
    verdict,
    wilson_interval,
)


def test_log_ratio_uses_the_geometric_mean_of_both_baselines_or_the_one_there_is() -> None:
    assert log_ratio(2.0, [1.0, 4.0]) == pytest.approx(0.0)
    assert log_ratio(2.0, [None, 4.0]) == pytest.approx(math.log(0.5))
    assert log_ratio(2.0, [1.0]) == pytest.approx(math.log(2))
    assert log_ratio(2.0, []) is None
    assert log_ratio(None, [1.0, 1.0]) is None


def test_linear_drift_cancels_for_a_variant_in_the_middle() -> None:
    assert log_ratio(1.05, [1.00, 1.1025]) == pytest.approx(0.0)


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


def test_noise_floor_is_the_distance_of_identical_code() -> None:
    assert noise_floor([(1.0, 1.1), (1.1, 1.0)]) == pytest.approx(1.1)
    assert noise_floor([(1.0, 1.0)]) == 1
    assert noise_floor([(1.0, None), (None, 1.0)]) is None


def test_verdict_needs_significance_and_more_than_the_floor() -> None:
    faster, slower = estimate_ratio([-0.10, -0.11, -0.09]), estimate_ratio([0.10, 0.11, 0.09])
    assert verdict(faster, 0.01, 1.02) == "faster"
    assert verdict(slower, 0.01, 1.02) == "slower"
    assert verdict(faster, 0.06, 1.02) == "tie"
    assert verdict(faster, 0.01, 1.12) == "tie"
    assert verdict(faster, 0.01, None) is None
    assert verdict(estimate_ratio([-1.0]), None, 1.01) is None


def _round(chance: random.Random, variants: int, noise: float) -> tuple[float, float, list[float]]:
    """One round of identical code on a drifting machine: both baselines, and the variants between them."""
    drift = chance.gauss(0, 0.02)
    trials = [1 + drift * i / (variants + 1) + chance.gauss(0, noise) for i in range(variants + 2)]
    return trials[0], trials[-1], trials[1:-1]


def _verdicts(chance: random.Random, true_ratios: list[float], rounds: int = 8) -> list[str | None]:
    """Judge variants of known ratio, as summary.py does."""
    drawn = [_round(chance, len(true_ratios), 0.01) for _ in range(rounds)]
    estimates = [
        estimate_ratio([x for first, last, v in drawn if (x := log_ratio(v[i] * ratio, [first, last])) is not None])
        for i, ratio in enumerate(true_ratios)
    ]
    adjusted = holm([e.p_value for e in estimates if e is not None and e.p_value is not None])
    floor = noise_floor([(first, last) for first, last, _ in drawn])
    return [verdict(e, p, floor) for e, p in zip(estimates, adjusted, strict=True)]


def test_the_interval_covers_the_truth_95_times_in_100() -> None:
    chance, hits, sweeps = random.Random(1), 0, 1500
    for _ in range(sweeps):
        logs = []
        for _ in range(8):
            first, last, (variant,) = _round(chance, 1, 0.01)
            logs.append(log_ratio(0.9 * variant, [first, last]))
        found = estimate_ratio([x for x in logs if x is not None])
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 0.9 <= found.high
    assert hits / sweeps == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / sweeps))


def test_identical_code_is_hardly_ever_told_apart_in_a_whole_family() -> None:
    chance, sweeps = random.Random(2), 300
    alarms = sum(any(v != "tie" for v in _verdicts(chance, [1.0] * 10)) for _ in range(sweeps))
    assert alarms / sweeps <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / sweeps)


def test_a_true_five_percent_is_found() -> None:
    chance, sweeps = random.Random(3), 60
    found = [_verdicts(chance, [1.05, 0.95, 1.0, 1.0])[:2] for _ in range(sweeps)]
    assert sum(pair == ["slower", "faster"] for pair in found) >= 0.9 * sweeps


@pytest.mark.parametrize(("successes", "n"), [(0, 5), (5, 5), (70, 100), (702, 829)])
def test_wilson_agrees_with_scipy(successes: int, n: int) -> None:
    expected = stats.binomtest(successes, n).proportion_ci(method="wilson")
    assert wilson_interval(successes, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_figures_of_a_classifier() -> None:
    labels, predictions = ["a", "a", "b", "b", "c"], ["a", "b", "b", "b", None]
    assert accuracy(labels, predictions) == pytest.approx(3 / 5)
    assert confusion_matrix(labels, predictions, ["a", "b", "c"]) == [[1, 1, 0], [0, 2, 0], [0, 0, 0]]
    assert macro_f1(labels, predictions) == pytest.approx((2 / 3 + 4 / 5 + 0) / 3)
    assert changed_predictions(labels, predictions) == 2


def test_softmax_and_total_variation() -> None:
    logits = [1000.0, 1001.0, 998.0]
    assert softmax(logits) == pytest.approx(special.softmax(logits))
    assert total_variation([1.0, 0.0], [0.0, 1.0]) == 1
    assert total_variation([0.5, 0.5], [0.75, 0.25]) == pytest.approx(0.25)
