"""How well a job's output agrees with people's judgements, by itself and compared with its baseline's."""

from __future__ import annotations

import math

import numpy as np

from runner.results import correlation
from runner.results.correlation import correlation_difference
from runner.results.non_inferiority import Paired
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
    before = None if baseline is None else baseline.by_example["similarity"]
    if not np.isfinite(cosines).all():
        return
    for name, measure in (("spearman", correlation.spearman), ("pearson", correlation.pearson)):
        value = measure(scores, cosines)
        setattr(figures, name, value if math.isfinite(value) else None)
        if before is not None and np.isfinite(before).all():
            _add_difference(figures, name, correlation_difference(measure, scores, before, cosines))


def _add_difference(figures: Correlation, name: str, paired: Paired | None) -> None:
    """Set the columns of a figure's difference to the baseline's, if it is known."""
    if paired is not None:
        low, high = paired.interval
        for ending, value in {"": paired.value, "_low": low, "_high": high}.items():
            setattr(figures, f"{name}_difference{ending}", value)
