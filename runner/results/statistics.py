"""Statistics as small pure functions over plain lists; each names its method and source.

The unit is the round, because errors inside one process are not independent. A ratio is variant ÷ baseline,
so a latency ratio below 1 is faster. Ratios are averaged on the log scale, where ×2 and ÷2 are equally far
from 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from scipy.stats import norm, t

ALPHA = 0.05  # false alarms allowed per family of variants


@dataclass(frozen=True)
class Estimate:
    """A ratio with its 95% interval and p-value; the last three are None after a single round."""

    ratio: float
    low: float | None = None
    high: float | None = None
    p_value: float | None = None


def log_ratio(variant: float | None, baselines: Sequence[float | None]) -> float | None:
    """Return log(variant ÷ geometric mean of the round's baselines), or None where one side is missing.

    With a baseline at both ends of a round, a linear drift of the machine cancels for a variant in the
    middle. If only one of the two was measured, it stands alone.
    """
    known = [math.log(b) for b in baselines if b is not None and b > 0]
    if variant is None or variant <= 0 or not known:
        return None
    return math.log(variant) - fmean(known)


def estimate_ratio(log_ratios: Sequence[float]) -> Estimate | None:
    """Estimate a ratio from one log ratio per round: Student's t against 0 ("Student", Biometrika 6, 1908).

    The interval is mean ± t(n-1) · s / √n on the log scale, turned back by exp; the p-value is two-sided.
    """
    n = len(log_ratios)
    if n == 0:
        return None
    mean = fmean(log_ratios)
    if n == 1:
        return Estimate(math.exp(mean))
    error = stdev(log_ratios) / math.sqrt(n)
    half = float(t.ppf(1 - ALPHA / 2, n - 1)) * error
    certain = 1.0 if mean == 0 else 0.0  # rounds that agree to the last digit
    p_value = 2 * float(t.sf(abs(mean) / error, n - 1)) if error > 0 else certain
    return Estimate(math.exp(mean), math.exp(mean - half), math.exp(mean + half), p_value)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted so that the family-wise error stays at the level they are compared with.

    Step-down Bonferroni (S. Holm, Scand. J. Statist. 6, 1979). Valid under any dependence, so the baseline
    that all variants share does no harm.
    """
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


def noise_floor(pairs: Sequence[tuple[float | None, float | None]]) -> float | None:
    """Return the ratio by which identical code was apart: exp(root mean square of log(last ÷ first)).

    An A/A test on the two baselines of each round; None without a pair. It does not shrink with more rounds:
    an effect no larger than what separates two runs of the same code is not called one, however often it is
    repeated.
    """
    squares = [math.log(b / a) ** 2 for a, b in pairs if a is not None and b is not None and a > 0 and b > 0]
    return math.exp(math.sqrt(fmean(squares))) if squares else None


def verdict(estimate: Estimate | None, p_value_holm: float | None, floor: float | None) -> str | None:
    """Return faster, slower or tie; None where there is no interval or no noise floor to judge by.

    Not a tie only if the ratio differs from 1 after Holm's adjustment and is farther from 1 than the floor.
    """
    if estimate is None or p_value_holm is None or floor is None:
        return None
    if p_value_holm >= ALPHA or abs(math.log(estimate.ratio)) <= math.log(floor):
        return "tie"
    return "faster" if estimate.ratio < 1 else "slower"


def accuracy(labels: Sequence[str], predictions: Sequence[str | None]) -> float:
    """Return the fraction of predictions that equal their label."""
    return fmean(a == b for a, b in zip(labels, predictions, strict=True))


def wilson_interval(successes: int, n: int) -> tuple[float, float]:
    """Return the 95% score interval of a proportion (E. B. Wilson, J. Am. Statist. Assoc. 22, 1927)."""
    z = float(norm.ppf(1 - ALPHA / 2))
    centre = (successes + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * math.sqrt(successes * (n - successes) / n + z * z / 4)
    return max(0.0, centre - half), min(1.0, centre + half)


def confusion_matrix(labels: Sequence[str], predictions: Sequence[str | None], names: Sequence[str]) -> list[list[int]]:
    """Return counts: one row per true label, one column per predicted label, both in the order of `names`."""
    place = {name: i for i, name in enumerate(names)}
    counts = [[0] * len(names) for _ in names]
    for label, prediction in zip(labels, predictions, strict=True):
        if prediction is not None:
            counts[place[label]][place[prediction]] += 1
    return counts


def macro_f1(labels: Sequence[str], predictions: Sequence[str | None]) -> float:
    """Return the unweighted mean over labels of F1 = 2·TP ÷ (2·TP + FP + FN).

    A label counts if it was seen or predicted, as in scikit-learn's `f1_score(average="macro")`.
    """
    pairs = list(zip(labels, predictions, strict=True))
    names = sorted({*labels, *(p for p in predictions if p is not None)})
    scores = []
    for name in names:
        hits = sum(a == b == name for a, b in pairs)
        misses = sum((a == name) != (b == name) for a, b in pairs)
        scores.append(2 * hits / (2 * hits + misses))
    return fmean(scores)


def changed_predictions(baseline: Sequence[str | None], variant: Sequence[str | None]) -> int:
    """Return how many examples the variant predicts otherwise than the baseline."""
    return sum(a != b for a, b in zip(baseline, variant, strict=True))


def softmax(logits: Sequence[float]) -> list[float]:
    """Return probabilities of logits, shifted by their maximum so that exp cannot overflow."""
    top = max(logits)
    weights = [math.exp(x - top) for x in logits]
    total = sum(weights)
    return [w / total for w in weights]


def total_variation(p: Sequence[float], q: Sequence[float]) -> float:
    """Return half the summed absolute difference of two distributions: 0 for equal, 1 for disjoint."""
    return sum(abs(a - b) for a, b in zip(p, q, strict=True)) / 2
