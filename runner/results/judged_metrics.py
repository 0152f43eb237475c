"""How well a job's output agrees with people's judgements, by itself and compared with its baseline's."""

from __future__ import annotations

import math

import numpy as np

from runner.results import correlation
from runner.results.correlation import correlation_difference
from runner.results.judged import RANKING
from runner.results.non_inferiority import Paired, paired_mean_difference
from runner.results.predictions import Evaluation
from runner.results.quality import set_difference, set_quality_basis
from runner.results.records.summary import PredictionFigures
from runner.results.score import SCORE_OF_COLUMN

_CORRELATIONS = {"pearson": correlation.pearson, "spearman": correlation.spearman}


def add_correlation(figures: PredictionFigures, evaluation: Evaluation, baseline: Evaluation | None) -> None:
    """Add how well the cosines of pairs correlate with people's scores.

    Args:
        figures: the figures of the job, which are changed.
        evaluation: the job's own evaluation.
        baseline: the baseline's evaluation of the same pairs; None if there is none, or if the job is the baseline.
    """
    scores, cosines = evaluation.by_example["score"], evaluation.by_example["similarity"]
    before = None if baseline is None else baseline.by_example["similarity"]
    if not np.isfinite(cosines).all():
        return
    for name, measure in _CORRELATIONS.items():
        value = measure(scores, cosines)
        setattr(figures, name, value if math.isfinite(value) else None)
        if before is not None and np.isfinite(before).all():
            _add_difference(figures, name, correlation_difference(measure, scores, before, cosines))


def add_ranking(figures: PredictionFigures, evaluation: Evaluation, baseline: Evaluation | None) -> None:
    """Add how well documents are ranked; the arguments are those of `add_correlation`."""
    for name in RANKING:
        own = evaluation.by_example[name]
        if not np.isfinite(own).all():
            continue
        setattr(figures, name, float(own.mean()))
        before = None if baseline is None else baseline.by_example[name]
        if before is not None and np.isfinite(before).all() and len(own) > 1:
            _add_difference(figures, name, paired_mean_difference(before.tolist(), own.tolist()))


def _add_difference(figures: PredictionFigures, name: str, paired: Paired | None) -> None:
    """Set the columns of a figure's difference to the baseline's, if it is known."""
    if paired is None:
        return
    set_difference(figures, name, paired)
    if name in SCORE_OF_COLUMN:
        set_quality_basis(figures, name, paired)
