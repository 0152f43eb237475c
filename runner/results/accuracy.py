"""How good predictions are, and how far from the baseline's: pure functions over plain lists and arrays.

All arguments are lists over the same examples. A prediction is None where a logit was not a finite number: it is
then wrong, and differs from every label. Intervals and tests of a difference are in
runner/results/accuracy_difference.py.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Sequence
from statistics import fmean

import numpy as np
from scipy.special import rel_entr

CALIBRATION_BINS = 15

Label = str | frozenset[str]  # one label, or all labels of a multi-label text, which must match exactly
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

    For texts with one label each, it equals the accuracy.
    """
    counts = _hits_and_misses(labels, predictions)
    hits, misses = (sum(side) for side in zip(*counts, strict=True)) if counts else (0, 0)
    return 2 * hits / (2 * hits + misses) if counts else 0.0


def _hits_and_misses(labels: Labels, predictions: Predictions) -> list[tuple[int, int]]:
    """Return TP, and FP + FN, for every label that was seen or predicted."""
    kinds = Counter(zip(labels, predictions, strict=True))
    pairs = [(names_in(a), names_in(b), count) for (a, b), count in kinds.items()]
    seen = sorted({name for *sides, _ in pairs for side in sides for name in side})
    return [
        (
            sum(count for a, b, count in pairs if name in a and name in b),
            sum(count for a, b, count in pairs if (name in a) != (name in b)),
        )
        for name in seen
    ]


def names_in(label: Label | None) -> frozenset[str]:
    """Return the names of a label or of a prediction; none for a missing prediction."""
    if label is None:
        return frozenset()
    return label if isinstance(label, frozenset) else frozenset((label,))


def changed_predictions(baseline: Predictions, variant: Predictions) -> int:
    """Return how many examples the variant predicts differently from the baseline: churn, as a count.

    (Launch and iterate: M. Milani Fard et al., NIPS 2016, who call it churn.)
    """
    return sum(a != b for a, b in zip(baseline, variant, strict=True))


def flips(labels: Labels, baseline: Predictions, variant: Predictions) -> tuple[float, float]:
    """Return the fractions of all examples that only the baseline has right, and that only the variant has right.

    The first are negative flips, the second positive ones (S. Yan et al., "Positive-congruent training", CVPR 2021).
    Their difference is that of the accuracies. To a user, a negative flip is something that used to work.
    """
    triples = zip(labels, baseline, variant, strict=True)
    right = Counter((before == label, after == label) for label, before, after in triples)
    return right[True, False] / len(labels), right[False, True] / len(labels)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return the probabilities of each row of logits, shifted by its maximum so that exp cannot overflow.

    A row is not a number if one of its logits is not finite. It uses `math.exp`, since numpy's depends on the CPU.
    """
    if not logits.size:
        return logits
    finite = _finite(logits)
    weights = _exp(finite - finite.max(axis=1, keepdims=True))
    shares: np.ndarray = weights / weights.cumsum(axis=1)[:, -1:]
    return shares


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Return the probability of each logit by itself, computed so that exp cannot overflow; see `softmax`."""
    finite = _finite(logits)
    weights = _exp(-np.abs(finite))
    return np.where(finite < 0, weights / (1 + weights), 1 / (1 + weights))


def _finite(logits: np.ndarray) -> np.ndarray:
    """Return the logits; all values of a row are not a number if one of them is not finite."""
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

    It is Σ p·ln(p ÷ q), with p the baseline's probabilities and q the variant's (S. Kullback, R. A. Leibler, Ann. Math.
    Statist. 22, 1951). It is 0 for equal distributions, and has no upper bound.

    Args:
        baseline, variant: probabilities, [examples, labels].
        each: whether each label is a binary distribution of its own; their divergences are then added up.
    """
    p, q = np.asarray(baseline), np.asarray(variant)
    if each:
        p, q = (np.concatenate([side, 1 - side], axis=1) for side in (p, q))
    divergence = rel_entr(p, np.maximum(q, np.finfo(float).tiny)).sum(axis=1)
    return float(divergence.mean()), float(np.quantile(divergence, 0.99))


def calibration_error(labels: Labels, predictions: Predictions, confidences: np.ndarray | Sequence[float]) -> float:
    """Return the expected calibration error (C. Guo et al., "On calibration of modern neural networks", ICML 2017).

    It is the mean over the examples of |accuracy − mean confidence| in the example's bin. There are 15 bins of equal
    width, each with its upper end and without its lower one. A value of 0.1 means: confidences are off by ten points.

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

    It ranges from 0 (certain and right) to 2 (certain and wrong), as Brier defined it (Monthly Weather Review 78). It
    equals scikit-learn's `brier_score_loss` with `scale_by_half=False`.

    Args:
        places: the place of each true label among the probabilities.
        probabilities: [examples, labels].
    """
    p = np.array(probabilities, dtype=float)
    p[np.arange(len(p)), list(places)] -= 1
    return float((p**2).sum(axis=1).mean())


def recall_changes(
    labels: Labels, baseline: Predictions, variant: Predictions, names: Sequence[str]
) -> list[float | None]:
    """Return, per label in `names`, the variant's recall − the baseline's; None for a label without examples.

    Recall is the fraction of a label's examples that are predicted as this label. Compression may keep the mean and
    harm one class (S. Hooker et al., "What do compressed deep neural networks forget?", 2019).
    """
    examples, gains = Counter[str](), Counter[str]()
    for (label, before, after), count in Counter(zip(labels, baseline, variant, strict=True)).items():
        for name in names_in(label):
            examples[name] += count
            gains[name] += count * ((name in names_in(after)) - (name in names_in(before)))
    return [gains[name] / examples[name] if examples[name] else None for name in names]
