"""Correlations of scores with people's judgements, and how far they differ on the same units."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from runner.results.non_inferiority import PairedMeans, paired_score_difference

Values = np.ndarray | Sequence[float]
Correlation = Callable[[Values, Values], float]


def pearson(x: Values, y: Values) -> float:
    """Return Pearson's correlation of two lists of numbers. It is not a number where one of them does not vary."""
    a, b = (np.asarray(side, dtype=float) - np.mean(side) for side in (x, y))
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale else float("nan")


def spearman(x: Values, y: Values) -> float:
    """Return Spearman's rank correlation: Pearson's, of the ranks (C. Spearman, Am. J. Psychol. 15, 1904)."""
    return pearson(mean_ranks(x), mean_ranks(y))


def mean_ranks(values: Values) -> np.ndarray:
    """Return the rank of each value, from 1. Equal values share the mean of their ranks."""
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    ranks: np.ndarray = (np.cumsum(sizes) - (sizes - 1) / 2)[group]
    return ranks


def correlation_interval(correlation: Correlation, x: Values, y: Values) -> tuple[float, float]:
    """Return the 95% interval of a correlation (Student's t over the units, by the jackknife).

    It is from −1 to 1 if there are fewer than three units, or if a correlation without one of them is not a number.
    """
    a, b = (np.asarray(side, dtype=float) for side in (x, y))
    if len(a) < 3:
        return -1.0, 1.0
    low, high = paired_score_difference(lambda places: correlation(a[places], b[places]), len(a)).interval
    return (max(low, -1.0), min(high, 1.0)) if np.isfinite([low, high]).all() else (-1.0, 1.0)


def correlation_difference(
    correlation: Correlation, scores: Values, baseline: Values, variant: Values
) -> PairedMeans | None:
    """Return the correlation of the variant with the scores, minus that of the baseline with the scores.

    Args:
        correlation: `pearson` or `spearman`.
        scores, baseline, variant: a number for each unit.

    Returns:
        The difference, or None if there are fewer than three units, or if a correlation is not a number, even without
        one of the units.
    """
    truth, before, after = (np.asarray(side, dtype=float) for side in (scores, baseline, variant))
    if len(truth) < 3:
        return None

    def gain(places: np.ndarray) -> float:
        return correlation(truth[places], after[places]) - correlation(truth[places], before[places])

    found = paired_score_difference(gain, len(truth))
    return found if np.isfinite([found.value, found.deviation]).all() else None
