"""How far the macro-F1 of two sides differs on the same examples, with its interval.

The comparison is paired: both sides evaluated the same examples, so that an easy or a hard sample cancels. Differences
of accuracies are in runner/results/non_inferiority.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from runner.results.accuracy import Label, Labels, Predictions, macro_f1, names_in
from runner.results.statistics import ALPHA

RESAMPLES = 2000  # enough for BCa (B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, ch. 14)


@dataclass(frozen=True)
class Difference:
    """A figure of the variant minus the baseline's, with its 95% interval."""

    value: float
    low: float
    high: float


def macro_f1_difference(labels: Labels, baseline: Predictions, variant: Predictions, seed: int = 0) -> Difference:
    """Return the difference of macro-F1, variant − baseline, with its bootstrap interval.

    Examples are resampled with replacement, each with its label and both its predictions (paired bootstrap; for such
    scores: T. Berg-Kirkpatrick et al., EMNLP 2012). The interval is bias-corrected and accelerated (BCa: B. Efron,
    J. Am. Statist. Assoc. 82, 1987). Examples of one stratum, which have the same label and the same two predictions,
    are interchangeable. So it is enough to resample how many examples each stratum has, from a multinomial
    distribution: this is the same bootstrap, and about a hundred times as fast. If no prediction differs, both ends of
    the interval are 0.

    Args:
        labels, baseline, variant: per example.
        seed: seed of the resampling; the same seed gives the same interval.
    """
    strata = Counter(zip(labels, baseline, variant, strict=True))
    if len(strata) == 1 or all(before == after for _, before, after in strata):  # nothing to resample
        f1 = macro_f1(labels, variant) - macro_f1(labels, baseline)
        return Difference(f1, f1, f1)
    counts = np.array(list(strata.values()), dtype=float)
    resamples = np.random.default_rng(seed).multinomial(len(labels), counts / counts.sum(), RESAMPLES).astype(float)
    without_one = counts - np.eye(len(counts))  # for each stratum: the sample without one of its examples
    score = _F1Difference(list(strata))
    return _bca(score(counts), score(resamples), score(without_one), counts)


class _F1Difference:
    """Macro-F1 of the second minus that of the first prediction, from counts of strata, [..., strata]."""

    def __init__(self, strata: list[tuple[Label, Label | None, Label | None]]) -> None:
        self._sides = [self._weights([(stratum[0], stratum[side]) for stratum in strata]) for side in (1, 2)]

    def __call__(self, counts: np.ndarray) -> np.ndarray:
        first, second = (self._macro_f1(counts, *weights) for weights in self._sides)
        difference: np.ndarray = second - first
        return difference

    @staticmethod
    def _weights(pairs: Sequence[tuple[Label, Label | None]]) -> tuple[np.ndarray, np.ndarray]:
        """Return which strata are hits, and how often each is in a label's 2·TP + FP + FN; both [strata, labels]."""
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
        value: the difference in the sample.
        resamples: the difference in each resample.
        jackknife: per stratum, the difference in the sample without one of its examples.
        counts: the number of examples in each stratum.
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
