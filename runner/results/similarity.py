"""How near the vectors of a variant are to those of the baseline, text by text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from runner.results.statistics import student_t

MAX_NEIGHBOURS = 2000  # texts among which the nearest one is searched

Vectors = np.ndarray | Sequence[Sequence[float]]  # [texts, width]


def cosines(baseline: Vectors, variant: Vectors) -> list[float]:
    """Return the cosine of each text's two vectors, −1 to 1; 0 where one of them is all 0.

    Args:
        baseline, variant: [texts, width].
    """
    a, b = unit(baseline), unit(variant)
    each: list[float] = np.clip((a * b).sum(axis=1), -1, 1).tolist()
    return each


def mean_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the mean and its 95% interval (Student's t); the interval of a single value is this value."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    mean = student_t(values)
    return mean.estimate, mean.low, mean.high


def neighbour_agreement(baseline: Vectors, variant: Vectors) -> float | None:
    """Return the fraction of texts whose nearest other text, by cosine, is the same for both sides.

    That text is what a search would find first. Only the first `MAX_NEIGHBOURS` texts are used. With fewer than
    three texts there is no choice, and the result is None.

    Args:
        baseline, variant: [texts, width].
    """
    if len(baseline) < 3:
        return None
    nearest = [_nearest(unit(side[:MAX_NEIGHBOURS])) for side in (baseline, variant)]
    return float((nearest[0] == nearest[1]).mean())


def _nearest(vectors: np.ndarray) -> np.ndarray:
    """Return the place of the text that is nearest to each text; the first one if several are equally near."""
    near = vectors @ vectors.T
    np.fill_diagonal(near, -2)
    places: np.ndarray = near.round(12).argmax(axis=1)  # so that rounding does not choose among copies of a text
    return places


def unit(vectors: Vectors) -> np.ndarray:
    """Return the vectors, each divided by its length, [texts, width]."""
    array = np.asarray(vectors, dtype=float)
    divided: np.ndarray = array / np.maximum(np.linalg.norm(array, axis=1, keepdims=True), np.finfo(float).tiny)
    return divided
