"""Figures of predictions against worked examples, scipy, and by simulation."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from scipy import special, stats

from runner.results.accuracy import (
    accuracy,
    brier_score,
    calibration_error,
    changed_predictions,
    confusion_matrix,
    flips,
    kl_divergence,
    macro_f1,
    recall_changes,
    softmax,
    total_variation,
)
from runner.results.accuracy_difference import macro_f1_difference
from runner.results.collect import collect
from tests.results.synthetic import BASELINE, DEMO, Job, edit, write_sweep

NAMES = ["a", "b", "c"]
HEADS = DEMO[-1]


def _evaluated(
    chance: np.random.Generator, n: int, right: float, same: float
) -> tuple[list[str], list[str], list[str]]:
    """Return labels, the baseline's predictions and the variant's, which keeps a fraction of them."""
    labels = chance.choice(NAMES, n, p=[0.5, 0.3, 0.2])
    baseline = np.where(chance.random(n) < right, labels, chance.choice(NAMES, n))
    variant = np.where(chance.random(n) < same, baseline, chance.choice(NAMES, n))
    return labels.tolist(), baseline.tolist(), variant.tolist()


@pytest.mark.parametrize("seed", range(5))
def test_figures_from_counts_are_to_the_bit_those_from_one_example_after_the_other(seed: int) -> None:
    labels, before, after = _evaluated(np.random.default_rng(seed), 137, 0.7, 0.8)
    unknown = [None, *after[1:]]

    def f1(name: str) -> float:
        pairs = [(a == name, b == name) for a, b in zip(labels, unknown, strict=True)]
        return 2 * sum(a and b for a, b in pairs) / (2 * sum(a and b for a, b in pairs) + sum(a != b for a, b in pairs))

    def gain(name: str) -> float:
        ours = [(b == name, a == name) for label, b, a in zip(labels, before, unknown, strict=True) if label == name]
        return fmean(a - b for b, a in ours)

    assert macro_f1(labels, unknown) == fmean(map(f1, NAMES))
    assert recall_changes(labels, before, unknown, NAMES) == list(map(gain, NAMES))


def test_figures_of_a_classifier() -> None:
    labels, predictions = ["a", "a", "b", "b", "c"], ["a", "b", "b", "b", None]
    assert accuracy(labels, predictions) == pytest.approx(3 / 5)
    assert confusion_matrix(labels, predictions, ["a", "b", "c"]) == [[1, 1, 0], [0, 2, 0], [0, 0, 0]]
    assert macro_f1(labels, predictions) == pytest.approx((2 / 3 + 4 / 5 + 0) / 3)
    assert changed_predictions(labels, predictions) == 2


def test_flips_are_what_only_one_side_has_right() -> None:
    labels, baseline, variant = ["a", "a", "b", "b", "c"], ["a", "a", "b", "a", "c"], ["a", "b", "c", "b", None]
    negative, positive = flips(labels, baseline, variant)
    assert (negative, positive) == (pytest.approx(3 / 5), pytest.approx(1 / 5))
    assert positive - negative == pytest.approx(accuracy(labels, variant) - accuracy(labels, baseline))


def test_the_interval_of_f1_agrees_with_scipy() -> None:
    evaluated = _evaluated(np.random.default_rng(3), 400, 0.8, 0.9)
    own = macro_f1_difference(*evaluated)
    labels, baseline, variant = evaluated
    places = {name: place for place, name in enumerate(NAMES)}
    data = tuple(np.array([places[name] for name in side]) for side in evaluated)

    def f1(labels: Any, predictions: Any) -> Any:
        scores = []
        for k in range(3):
            named = (labels == k).sum(axis=-1) + (predictions == k).sum(axis=-1)
            scores.append(2 * ((labels == k) & (predictions == k)).sum(axis=-1) / named)
        return np.mean(scores, axis=0)

    theirs = stats.bootstrap(
        data,
        lambda y, a, b, axis=-1: f1(y, b) - f1(y, a),
        paired=True,
        vectorized=True,
        n_resamples=5000,
        random_state=1,
    ).confidence_interval
    assert own.value == pytest.approx(macro_f1(labels, variant) - macro_f1(labels, baseline))
    assert (own.low, own.high) == pytest.approx((theirs.low, theirs.high), abs=0.003)


def test_intervals_of_f1_hold_the_true_difference_95_times_in_100() -> None:
    """Over 200 samples, 90.4% would not be surprising (three standard errors)."""
    chance = np.random.default_rng(0)
    evaluated = _evaluated(chance, 200_000, 0.8, 0.93)
    whole, sides = macro_f1_difference(*evaluated), [np.array(side) for side in evaluated]
    held = 0
    for _ in range(200):
        drawn = chance.integers(0, 200_000, 800)
        sample = macro_f1_difference(*(side[drawn].tolist() for side in sides))
        held += sample.low <= whole.value <= sample.high
    assert held / 200 > 0.904


def test_the_same_seed_gives_the_same_interval_and_equal_predictions_none() -> None:
    labels, baseline, variant = _evaluated(np.random.default_rng(1), 100, 0.7, 0.8)
    assert macro_f1_difference(labels, baseline, variant) == macro_f1_difference(labels, baseline, variant)
    for one in (macro_f1_difference(labels, baseline, baseline), macro_f1_difference(["a"], ["b"], ["b"])):
        assert (one.value, one.low, one.high) == (0, 0, 0)
    assert macro_f1_difference(["a"], ["b"], ["a"]).value == 1


def test_a_prediction_that_is_no_number_is_wrong() -> None:
    labels, variant = ["a", "b", "a", "b"], ["a", None, "a", "b"]
    assert accuracy(labels, variant) == 0.75
    assert macro_f1_difference(labels, labels, variant).value == pytest.approx((1 + 2 / 3) / 2 - 1)


def test_divergence_agrees_with_scipy() -> None:
    chance = np.random.default_rng(2)
    p, q = chance.dirichlet([1, 1, 1], (2, 50))
    each = [stats.entropy(a, b) for a, b in zip(p, q, strict=True)]
    assert kl_divergence(p, q) == pytest.approx((np.mean(each), np.quantile(each, 0.99)))
    assert kl_divergence(p, p) == (0, 0)
    assert math.isfinite(kl_divergence([[0.5, 0.5]], [[1.0, 0.0]])[0])


def test_calibration_error_by_a_worked_example() -> None:
    """Two bins: 4 of 5 right at 0.9, off by 0.1; 1 of 5 right at 0.5, off by 0.3."""
    predictions = ["a"] * 10
    labels = ["a"] * 4 + ["b"] + ["a"] + ["b"] * 4
    assert calibration_error(labels, predictions, [0.9] * 5 + [0.5] * 5) == pytest.approx(0.2)
    assert calibration_error(["a"] * 3, ["a"] * 3, [1.0] * 3) == 0


def test_a_bin_has_its_upper_end() -> None:
    """0.2 is the end of bin 3 of 15: with 0.19 it cancels, with 0.21 it would not."""
    assert calibration_error(["a", "b"], ["a", "a"], [0.2, 0.19]) == pytest.approx(0.5 - 0.195)


def test_brier_is_the_squared_error_over_all_labels() -> None:
    """As scikit-learn documents for several classes (brier_score_loss, scale_by_half=False)."""
    places, probabilities = [0, 1, 2], [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.2, 0.5, 0.3]]
    squares = (0.04 + 0.01 + 0.01) + (0.04 + 0.09 + 0.01) + (0.04 + 0.25 + 0.49)
    assert brier_score(places, probabilities) == pytest.approx(squares / 3)
    assert brier_score([0], [[0.0, 1.0]]) == 2


def test_recall_changes_by_label() -> None:
    labels, baseline, variant = ["a", "a", "b", "b"], ["a", "a", "b", "a"], ["a", "b", "b", "b"]
    assert recall_changes(labels, baseline, variant, NAMES) == [-0.5, 0.5, None]


def test_the_summary_holds_them_for_a_variant_and_not_for_the_baseline(tmp_path: Path) -> None:
    rows = {row["technique"]: row for row in collect(write_sweep(tmp_path)).summary.to_pylist()}
    row, same = rows[HEADS.technique], rows["torchscript"]
    assert row["accuracy_difference"] == pytest.approx(row["accuracy"] - rows["torch-eager"]["accuracy"])
    assert row["accuracy_difference_low"] < row["accuracy_difference"] < row["accuracy_difference_high"]
    assert row["positive_flips_fraction"] - row["negative_flips_fraction"] == pytest.approx(row["accuracy_difference"])
    assert min(row["recall_changes"]) == row["worst_recall_change"]
    assert 0 < row["kl_mean_nats"] < row["kl_p99_nats"]
    assert (same["accuracy_difference"], same["accuracy_p_value"], same["kl_mean_nats"]) == (0, 1, 0)
    assert rows["torch-eager"]["accuracy_difference"] is None
    assert rows["torch-eager"]["calibration_error"] > 0


@pytest.mark.parametrize("options", [{"labels": []}, {"weights": "random"}])
def test_what_needs_labels_or_trained_weights_is_null_without(tmp_path: Path, options: dict[str, Any]) -> None:
    row = collect(write_sweep(tmp_path, **options)).summary.to_pylist()[-1]
    nulls = ("accuracy_difference", "accuracy_p_value", "negative_flips_fraction", "brier_score", "recall_changes")
    assert [row[name] for name in nulls] == [None] * 5
    assert (row["kl_mean_nats"] is None) == ("weights" in options)


def test_without_labels_the_agreement_with_the_baseline_is_told(tmp_path: Path) -> None:
    tables = collect(write_sweep(tmp_path, labels=[]))
    rows = {row["technique"]: row for row in tables.summary.to_pylist()}
    row, own = rows[HEADS.technique], tables.predictions.read(jobs=[HEADS.key]).to_pylist()
    assert row["accuracy"] is None
    assert row["agreement"] == pytest.approx(fmean(p["prediction"] == p["baseline_prediction"] for p in own))
    assert row["agreement_low"] < row["agreement"] < row["agreement_high"] < 1
    assert (rows["torchscript"]["agreement"], rows["torchscript"]["agreement_high"]) == (1, pytest.approx(1))
    assert rows["torchscript"]["kl_mean_nats"] == 0 < row["kl_mean_nats"]
    assert rows["torch-eager"]["agreement"] is None


def test_random_weights_agree_with_nothing(tmp_path: Path) -> None:
    rows = collect(write_sweep(tmp_path, weights="random")).summary.to_pylist()
    assert {row["agreement"] for row in rows} == {None}


def test_logits_that_are_no_numbers_leave_no_divergence(tmp_path: Path) -> None:
    broken = Job("broken")
    write_sweep(tmp_path, [BASELINE, broken])
    edit(tmp_path / "predictions" / f"{broken.key}.json", logits=[[float("nan")] * 3] * 60)
    row = collect(tmp_path).summary.to_pylist()[1]
    assert row["kl_mean_nats"] is row["brier_score"] is row["calibration_error"] is None
    assert row["negative_flips_fraction"] > 0


def test_softmax_and_total_variation() -> None:
    logits = np.array([[1000.0, 1001.0, 998.0], [np.nan, 0.0, 0.0], [-np.inf, 0.0, 0.0]])
    found = softmax(logits)
    assert found[0] == pytest.approx(special.softmax(logits[0]))
    assert np.isnan(found[1:]).all(), "of a logit that is no finite number nothing follows"
    assert softmax(np.zeros((0, 3))).shape == (0, 3)
    moved = total_variation(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([[0.0, 1.0], [0.75, 0.25]]))
    assert moved.tolist() == pytest.approx([1, 0.25])
