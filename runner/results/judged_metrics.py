"""How well a job's output agrees with people's judgements, by itself and compared with its baseline's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from runner.results.accuracy_difference import Difference
from runner.results.paired_bootstrap import Ranked, correlation, correlation_differences
from runner.results.predictions import Evaluation
from runner.results.records.judged import Correlation


def add_correlation(figures: Correlation, evaluation: Evaluation, baseline: Evaluation | None) -> None:
    """Add how the cosines of pairs follow people's scores.

    Args:
        figures: the figures of the job, which are changed.
        evaluation: the job's own evaluation.
        baseline: the baseline's on the same pairs, or None if there is none or if it is the same one.
    """
    scores, cosines = evaluation.by_example["score"], evaluation.by_example["similarity"]
    if not np.isfinite(cosines).all():
        return
    whole = np.ones((1, len(scores)))
    ranks = (Ranked(side).ranks(whole) for side in (scores, cosines))
    figures.spearman = _known(correlation(*ranks, whole)[0])
    figures.pearson = _known(correlation(scores, cosines, whole)[0])
    if baseline is None or not np.isfinite(baseline.by_example["similarity"]).all():
        return
    spearman, pearson = correlation_differences(scores, baseline.by_example["similarity"], cosines)
    add_difference(figures, "spearman", spearman)
    add_difference(figures, "pearson", pearson)


def add_difference(figures: Any, name: str, difference: Difference) -> None:
    """Set the columns of a figure's difference to the baseline's. An end that is not a number is not known."""
    setattr(figures, f"{name}_difference", _known(difference.value))
    setattr(figures, f"{name}_difference_low", _known(difference.low))
    setattr(figures, f"{name}_difference_high", _known(difference.high))


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
