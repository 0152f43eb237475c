"""How far the accuracy of two sides differs on the same examples, with intervals and tests.

The comparisons are paired: both sides evaluated the same examples, so that an easy or a hard sample cancels.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import bdtr, ndtr, ndtri

from runner.results.accuracy import Label, Labels, Predictions, accuracy, macro_f1, names_in
from runner.results.statistics import ALPHA

RESAMPLES = 2000  # enough for BCa (B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, ch. 14)


def mcnemar(right_a: Sequence[bool], right_b: Sequence[bool]) -> tuple[float, float, float, float]:
    """Return accuracy B − A on the same examples, its 95% interval and p-value (Q. McNemar, Psychometrika 12, 1947).

    Exact test: of the examples that only one side has right, B's share is binomial with ½ if nothing changed. Interval:
    adjusted Wald for paired proportions (D. G. Bonett, R. M. Price, J. Educ. Behav. Statist. 37, 2012).
    """
    n, pairs = len(right_a), list(zip(right_a, right_b, strict=True))
    only_a, only_b = sum(a and not b for a, b in pairs), sum(b and not a for a, b in pairs)
    if only_a + only_b == 0:
        return 0.0, 0.0, 0.0, 1.0
    share_a, share_b = (only_a + 1) / (n + 2), (only_b + 1) / (n + 2)
    centre = share_b - share_a
    half = float(ndtri(1 - ALPHA / 2)) * math.sqrt((share_a + share_b - centre**2) / (n + 2))
    p_value = min(1.0, 2 * float(bdtr(min(only_a, only_b), only_a + only_b, 0.5)))
    return (only_b - only_a) / n, centre - half, centre + half, p_value


@dataclass(frozen=True)
class Difference:
    """A figure of the variant less the baseline's, with its 95% interval."""

    value: float
    low: float
    high: float


def paired_differences(
    labels: Labels, baseline: Predictions, variant: Predictions, seed: int = 0
) -> tuple[Difference, Difference]:
    """Return the differences of accuracy and of macro-F1, variant − baseline, with bootstrap intervals.

    Examples are resampled with replacement, each with its label and both its predictions (paired bootstrap; for such
    scores: T. Berg-Kirkpatrick et al., EMNLP 2012). Intervals are bias-corrected and accelerated (BCa: B. Efron,
    J. Am. Statist. Assoc. 82, 1987). Examples of one stratum, which have the same label and the same two predictions,
    cannot be told apart. So it is enough to resample how many examples each stratum has, from a multinomial
    distribution: this is the same bootstrap, a hundred times as fast. Where no prediction differs, both intervals are
    0 to 0.

    Args:
        labels, baseline, variant: per example.
        seed: seed of the resampling; the same seed gives the same intervals.
    """
    strata = Counter(zip(labels, baseline, variant, strict=True))
    if len(strata) == 1 or all(before == after for _, before, after in strata):  # nothing to resample
        right, f1 = (score(labels, variant) - score(labels, baseline) for score in (accuracy, macro_f1))
        return Difference(right, right, right), Difference(f1, f1, f1)
    counts = np.array(list(strata.values()), dtype=float)
    resamples = np.random.default_rng(seed).multinomial(len(labels), counts / counts.sum(), RESAMPLES).astype(float)
    without_one = counts - np.eye(len(counts))  # for each stratum: the sample less one of its examples
    accuracies, f1s = (
        _bca(score(counts), score(resamples), score(without_one), counts)
        for score in (_AccuracyDifference(list(strata)), _F1Difference(list(strata)))
    )
    return accuracies, f1s


class _AccuracyDifference:
    """Accuracy of the second less that of the first prediction, from counts of strata, [..., strata]."""

    def __init__(self, strata: list[tuple[Label, Label | None, Label | None]]) -> None:
        self._gain = np.array([float(after == label) - float(before == label) for label, before, after in strata])

    def __call__(self, counts: np.ndarray) -> np.ndarray:
        difference: np.ndarray = counts @ self._gain / counts.sum(axis=-1)
        return difference


class _F1Difference:
    """Macro-F1 of the second less that of the first prediction, from counts of strata, [..., strata]."""

    def __init__(self, strata: list[tuple[Label, Label | None, Label | None]]) -> None:
        self._sides = [self._weights([(stratum[0], stratum[side]) for stratum in strata]) for side in (1, 2)]

    def __call__(self, counts: np.ndarray) -> np.ndarray:
        first, second = (self._macro_f1(counts, *weights) for weights in self._sides)
        difference: np.ndarray = second - first
        return difference

    @staticmethod
    def _weights(pairs: Sequence[tuple[Label, Label | None]]) -> tuple[np.ndarray, np.ndarray]:
        """Return which strata are hits, and how often they are of a label's 2·TP + FP + FN; both [strata, labels]."""
        sides = [(names_in(label), names_in(guess)) for label, guess in pairs]
        names = sorted({name for pair in sides for side in pair for name in side})
        hits = [[name in label and name in guess for name in names] for label, guess in sides]
        named = [[(name in label) + (name in guess) for name in names] for label, guess in sides]
        return np.array(hits, dtype=float), np.array(named, dtype=float)

    @staticmethod
    def _macro_f1(counts: np.ndarray, hits: np.ndarray, named: np.ndarray) -> np.ndarray:
        denominator = counts @ named
        seen = denominator > 0  # a resample may lack a label altogether
        scores = np.divide(2 * (counts @ hits), denominator, out=np.zeros_like(denominator), where=seen)
        mean: np.ndarray = scores.sum(axis=-1) / np.maximum(seen.sum(axis=-1), 1)
        return mean


def _bca(value: np.ndarray, resamples: np.ndarray, jackknife: np.ndarray, counts: np.ndarray) -> Difference:
    """Return the 95% BCa interval; as in `scipy.stats.bootstrap`, resamples equal to the value count half.

    Args:
        value: of the sample.
        resamples: of each resample.
        jackknife: per kind, of the sample less one example of it.
        counts: of the strata.
    """
    estimate, spread = float(value), jackknife - np.average(jackknife, weights=counts)
    below = float(np.mean(resamples < estimate) + np.mean(resamples == estimate) / 2)
    squares = float(counts @ spread**2)
    if squares == 0 or not 0 < below < 1:
        low, high = np.quantile(resamples, [ALPHA / 2, 1 - ALPHA / 2])
        return Difference(estimate, float(low), float(high))
    acceleration = -float(counts @ spread**3) / (6 * squares**1.5)
    bias = float(ndtri(below))
    z = bias + ndtri([ALPHA / 2, 1 - ALPHA / 2])
    low, high = np.quantile(resamples, ndtr(bias + z / (1 - acceleration * z)))
    return Difference(estimate, float(low), float(high))
