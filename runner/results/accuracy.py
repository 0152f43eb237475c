"""How good predictions are, and how far from the baseline's, as pure functions over plain lists and arrays.

All run parallel over the same examples. A prediction is None where a logit was not a finite number: it is then
wrong, and other than any label. What is said of the difference to the baseline is paired: both evaluated the same
examples, so an easy or a hard sample cancels.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from scipy.special import bdtr, ndtr, ndtri, rel_entr

from runner.results.statistics import ALPHA

RESAMPLES = 2000  # enough for BCa (B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, ch. 14)
CALIBRATION_BINS = 15

Label = str | frozenset[str]  # one label, or of a multi-label text all of them: right is then exactly these
Labels = Sequence[Label]
Predictions = Sequence[Label | None]
Probabilities = np.ndarray | Sequence[Sequence[float]]  # [examples, labels]


def accuracy(labels: Labels, predictions: Predictions) -> float:
    """Return the fraction of predictions that equal their label, or exactly their labels (subset accuracy)."""
    return sum(a == b for a, b in zip(labels, predictions, strict=True)) / len(labels)


def confusion_matrix(labels: Sequence[str], predictions: Sequence[str | None], names: Sequence[str]) -> list[list[int]]:
    """Return counts: one row per true label, one column per predicted label, both in the order of `names`."""
    place = {name: i for i, name in enumerate(names)}
    counts = [[0] * len(names) for _ in names]
    for label, prediction in zip(labels, predictions, strict=True):
        if prediction is not None:
            counts[place[label]][place[prediction]] += 1
    return counts


def macro_f1(labels: Labels, predictions: Predictions) -> float:
    """Return the unweighted mean over labels of F1 = 2·TP ÷ (2·TP + FP + FN).

    A label counts if it was seen or predicted, as in scikit-learn's `f1_score(average="macro")`. 0 if none does.
    """
    counts = _hits_and_misses(labels, predictions)
    return fmean(2 * hits / (2 * hits + misses) for hits, misses in counts) if counts else 0.0


def micro_f1(labels: Labels, predictions: Predictions) -> float:
    """Return F1 of all decisions on all labels taken together; 0 if no label was seen or predicted.

    Of texts with one label each, it would be the accuracy.
    """
    counts = _hits_and_misses(labels, predictions)
    hits, misses = (sum(side) for side in zip(*counts, strict=True)) if counts else (0, 0)
    return 2 * hits / (2 * hits + misses) if counts else 0.0


def _hits_and_misses(labels: Labels, predictions: Predictions) -> list[tuple[int, int]]:
    """Return for every label that was seen or predicted its TP, and its FP + FN."""
    kinds = Counter(zip(labels, predictions, strict=True))
    pairs = [(_names(a), _names(b), count) for (a, b), count in kinds.items()]
    seen = sorted({name for *sides, _ in pairs for side in sides for name in side})
    return [
        (
            sum(count for a, b, count in pairs if name in a and name in b),
            sum(count for a, b, count in pairs if (name in a) != (name in b)),
        )
        for name in seen
    ]


def _names(label: Label | None) -> frozenset[str]:
    """Return what a label or a prediction names; nothing for a prediction that is no number."""
    if label is None:
        return frozenset()
    return label if isinstance(label, frozenset) else frozenset((label,))


def changed_predictions(baseline: Predictions, variant: Predictions) -> int:
    """Return how many examples the variant predicts otherwise than the baseline: churn, as a count.

    (Launch and iterate: M. Milani Fard et al., NIPS 2016, who call it churn.)
    """
    return sum(a != b for a, b in zip(baseline, variant, strict=True))


def flips(labels: Labels, baseline: Predictions, variant: Predictions) -> tuple[float, float]:
    """Return the fractions of all examples that only the baseline has right, and that only the variant has right.

    The first are negative flips, the second positive ones (S. Yan et al., "Positive-congruent training", CVPR 2021).
    Their difference is that of the accuracies; a user meets each negative one as something that used to work.
    """
    right = Counter((base == label, own == label) for label, base, own in zip(labels, baseline, variant, strict=True))
    return right[True, False] / len(labels), right[False, True] / len(labels)


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

    Examples are drawn anew with replacement, each with its label and both its predictions (paired bootstrap; for such
    scores: T. Berg-Kirkpatrick et al., EMNLP 2012). Intervals are bias-corrected and accelerated (BCa: B. Efron,
    J. Am. Statist. Assoc. 82, 1987). Examples of one kind (label, prediction, prediction) cannot be told apart, so what
    is drawn are the counts of the kinds, from a multinomial distribution: the same bootstrap, a hundred times as fast.
    Where no prediction differs, both intervals are 0 to 0.

    Args:
        labels, baseline, variant: per example.
        seed: of the draws; the same seed gives the same intervals.
    """
    kinds = Counter(zip(labels, baseline, variant, strict=True))
    if len(kinds) == 1 or all(own == base for _, base, own in kinds):  # nothing to draw
        right, f1 = (score(labels, variant) - score(labels, baseline) for score in (accuracy, macro_f1))
        return Difference(right, right, right), Difference(f1, f1, f1)
    counts = np.array(list(kinds.values()), dtype=float)
    draws = np.random.default_rng(seed).multinomial(len(labels), counts / counts.sum(), RESAMPLES).astype(float)
    without_one = counts - np.eye(len(counts))  # per kind: the sample less one example of it
    accuracies, f1s = (
        _bca(score(counts), score(draws), score(without_one), counts)
        for score in (_AccuracyDifference(list(kinds)), _F1Difference(list(kinds)))
    )
    return accuracies, f1s


class _AccuracyDifference:
    """Accuracy of the second less that of the first prediction, from counts of kinds, [..., kinds]."""

    def __init__(self, kinds: list[tuple[Label, Label | None, Label | None]]) -> None:
        self._gain = np.array([float(own == label) - float(base == label) for label, base, own in kinds])

    def __call__(self, counts: np.ndarray) -> np.ndarray:
        difference: np.ndarray = counts @ self._gain / counts.sum(axis=-1)
        return difference


class _F1Difference:
    """Macro-F1 of the second less that of the first prediction, from counts of kinds, [..., kinds]."""

    def __init__(self, kinds: list[tuple[Label, Label | None, Label | None]]) -> None:
        self._sides = [self._weights([(kind[0], kind[side]) for kind in kinds]) for side in (1, 2)]

    def __call__(self, counts: np.ndarray) -> np.ndarray:
        first, second = (self._macro_f1(counts, *weights) for weights in self._sides)
        difference: np.ndarray = second - first
        return difference

    @staticmethod
    def _weights(pairs: Sequence[tuple[Label, Label | None]]) -> tuple[np.ndarray, np.ndarray]:
        """Return which kinds are hits, and how often they are of a label's 2·TP + FP + FN; both [kinds, labels]."""
        sides = [(_names(label), _names(guess)) for label, guess in pairs]
        names = sorted({name for pair in sides for side in pair for name in side})
        hits = [[name in label and name in guess for name in names] for label, guess in sides]
        named = [[(name in label) + (name in guess) for name in names] for label, guess in sides]
        return np.array(hits, dtype=float), np.array(named, dtype=float)

    @staticmethod
    def _macro_f1(counts: np.ndarray, hits: np.ndarray, named: np.ndarray) -> np.ndarray:
        denominator = counts @ named
        seen = denominator > 0  # a draw may lack a label altogether
        scores = np.divide(2 * (counts @ hits), denominator, out=np.zeros_like(denominator), where=seen)
        mean: np.ndarray = scores.sum(axis=-1) / np.maximum(seen.sum(axis=-1), 1)
        return mean


def _bca(value: np.ndarray, draws: np.ndarray, jackknife: np.ndarray, counts: np.ndarray) -> Difference:
    """Return the 95% BCa interval; as in `scipy.stats.bootstrap`, draws equal to the value count half.

    Args:
        value: of the sample.
        draws: of each resample.
        jackknife: per kind, of the sample less one example of it.
        counts: of the kinds.
    """
    estimate, spread = float(value), jackknife - np.average(jackknife, weights=counts)
    below = float(np.mean(draws < estimate) + np.mean(draws == estimate) / 2)
    squares = float(counts @ spread**2)
    if squares == 0 or not 0 < below < 1:
        low, high = np.quantile(draws, [ALPHA / 2, 1 - ALPHA / 2])
        return Difference(estimate, float(low), float(high))
    acceleration = -float(counts @ spread**3) / (6 * squares**1.5)
    bias = float(ndtri(below))
    z = bias + ndtri([ALPHA / 2, 1 - ALPHA / 2])
    low, high = np.quantile(draws, ndtr(bias + z / (1 - acceleration * z)))
    return Difference(estimate, float(low), float(high))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return the probabilities of each row of logits, shifted by its maximum so that exp cannot overflow.

    Not a number where a logit of the row is not a finite one. `math.exp`, since that of numpy depends on the CPU.
    """
    if not logits.size:
        return logits
    finite = _finite(logits)
    weights = _exp(finite - finite.max(axis=1, keepdims=True))
    shares: np.ndarray = weights / weights.cumsum(axis=1)[:, -1:]
    return shares


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Return the probability of each logit by itself, computed so that exp cannot overflow; else as `softmax`."""
    finite = _finite(logits)
    weights = _exp(-np.abs(finite))
    return np.where(finite < 0, weights / (1 + weights), 1 / (1 + weights))


def _finite(logits: np.ndarray) -> np.ndarray:
    """Return the logits, rows with one that is not finite as not a number."""
    return np.where(np.isfinite(logits).all(axis=1, keepdims=True), logits, np.nan)


def _exp(values: np.ndarray) -> np.ndarray:
    return np.array(array("d", map(math.exp, values.ravel().tolist()))).reshape(values.shape)


def total_variation(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Return half the summed absolute difference of each two distributions: 0 for equal, 1 for disjoint.

    Args:
        p, q: probabilities, [examples, labels].
    """
    moved: np.ndarray = np.abs(p - q).cumsum(axis=1)[:, -1] / 2 if p.size else np.zeros(len(p))
    return moved


def kl_divergence(baseline: Probabilities, variant: Probabilities, each: bool = False) -> tuple[float, float]:
    """Return mean and 99th percentile over the examples of the Kullback-Leibler divergence, in nats.

    Σ p·ln(p ÷ q) with p the baseline's probabilities and q the variant's: what the variant loses who believes the
    baseline (S. Kullback, R. A. Leibler, Ann. Math. Statist. 22, 1951). 0 for equal ones, without an upper end.

    Args:
        baseline, variant: probabilities, [examples, labels].
        each: whether each label is a distribution of its own, yes or no; theirs are then added up.
    """
    p, q = np.asarray(baseline), np.asarray(variant)
    if each:
        p, q = (np.concatenate([side, 1 - side], axis=1) for side in (p, q))
    divergence = rel_entr(p, np.maximum(q, np.finfo(float).tiny)).sum(axis=1)
    return float(divergence.mean()), float(np.quantile(divergence, 0.99))


def calibration_error(labels: Labels, predictions: Predictions, confidences: np.ndarray | Sequence[float]) -> float:
    """Return the expected calibration error (C. Guo et al., "On calibration of modern neural networks", ICML 2017).

    The mean over the examples of |accuracy − mean confidence| of the bin that an example falls into; 15 bins of equal
    width, each with its upper end and without its lower one. 0.1: confidences are off by ten points.

    Args:
        labels, predictions: per example.
        confidences: the probability of each prediction.
    """
    right = np.array([a == b for a, b in zip(labels, predictions, strict=True)], dtype=float)
    confidence = np.asarray(confidences)
    bins = np.clip(np.ceil(confidence * CALIBRATION_BINS).astype(int) - 1, 0, CALIBRATION_BINS - 1)
    gaps = np.abs(np.bincount(bins, weights=right - confidence))
    return float(gaps.sum() / len(right))


def brier_score(places: Sequence[int], probabilities: Probabilities) -> float:
    """Return the mean over the examples of Σ (probability − outcome)² over all labels (G. W. Brier, 1950).

    From 0, certain and right, to 2, certain and wrong, as Brier defined it (Monthly Weather Review 78); scikit-learn's
    `brier_score_loss` with `scale_by_half=False`.

    Args:
        places: of the true label among the probabilities.
        probabilities: [examples, labels].
    """
    p = np.array(probabilities, dtype=float)
    p[np.arange(len(p)), list(places)] -= 1
    return float((p**2).sum(axis=1).mean())


def recall_changes(
    labels: Labels, baseline: Predictions, variant: Predictions, names: Sequence[str]
) -> list[float | None]:
    """Return per label in `names` the variant's recall less the baseline's; None for a label without examples.

    Recall is the fraction of a label's examples that are predicted so. Compression may spare the mean and spend all on
    one class (S. Hooker et al., "What do compressed deep neural networks forget?", 2019).
    """
    examples, gains = Counter[str](), Counter[str]()
    for (label, base, own), count in Counter(zip(labels, baseline, variant, strict=True)).items():
        for name in _names(label):
            examples[name] += count
            gains[name] += count * ((name in _names(own)) - (name in _names(base)))
    return [gains[name] / examples[name] if examples[name] else None for name in names]
