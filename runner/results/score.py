"""The measure of a job's quality: one score for each kind of task, which reports, `recommend` and diffs share.

The score is the accuracy of a task with labels, Spearman's correlation of pairs with scores, and nDCG@10 of queries.
All of them are fractions in the tables, and their differences are given in points of 0.01.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final

import numpy as np

from runner.results.correlation import correlation_interval, spearman
from runner.results.format import significant
from runner.results.similarity import mean_interval
from runner.results.statistics import wilson_interval
from runner.results.tables import Row

Interval = tuple[float, float]
Figures = Sequence[Any]  # the values of an example, in the order of the score's `of_example`


@dataclass(frozen=True)
class Score:
    """A measure of quality; higher is better.

    Attributes:
        column: its column of the summary, beside NAME_difference, NAME_difference_low and NAME_difference_high.
        title: its name in a sentence.
        heading: its name at the head of a column.
        unit: the unit in which people read and type it: "%", or nothing for a number up to 1.
        of_example: the columns of predictions that it is computed from.
        of: returns the score of some examples, and its 95% interval.
    """

    column: str
    title: str
    heading: str
    unit: str
    of_example: tuple[str, ...]
    of: Callable[[Sequence[Figures]], tuple[float, Interval]]

    @property
    def factor(self) -> float:
        """Return the size of the unit."""
        return 0.01 if self.unit else 1.0

    def value(self, row: Row) -> float | None:
        """Return the score of a job from its row of the summary; None if it is not known."""
        value: float | None = row[self.column]
        return value

    def difference(self, row: Row) -> tuple[float, float, float] | None:
        """Return the difference to the baseline's score on the same examples, and the ends of its 95% interval."""
        value, low, high = (row[f"{self.column}_difference{end}"] for end in ("", "_low", "_high"))
        return None if low is None or high is None else (value, low, high)

    def text(self, value: float) -> str:
        """Return a score for people, as '84.7%' or '0.823'."""
        return f"{significant(value / self.factor)}{self.unit}"

    def text_with_interval(self, value: float, interval: Interval) -> str:
        """Return a score with its 95% interval, as '80.1% (77.2–82.7)' or '0.823 (0.801–0.842)'."""
        digits = 1 if self.unit else 3
        shown, low, high = (f"{end / self.factor:.{digits}f}" for end in (value, *interval))
        return f"{shown}{self.unit} ({low}–{high})"


def _accuracy(examples: Sequence[Figures]) -> tuple[float, Interval]:
    right = [label == prediction for label, prediction in examples]
    return fmean(right), wilson_interval(sum(right), len(right))


def _spearman(examples: Sequence[Figures]) -> tuple[float, Interval]:
    scores, cosines = np.array(examples, dtype=float).T
    return spearman(scores, cosines), correlation_interval(spearman, scores, cosines)


def _ndcg(examples: Sequence[Figures]) -> tuple[float, Interval]:
    value, low, high = mean_interval([ndcg for (ndcg,) in examples])
    return value, (low, high)


SCORES: Final = (
    Score("accuracy", "accuracy", "Accuracy", "%", ("label", "prediction"), _accuracy),
    Score("spearman", "Spearman", "Spearman", "", ("score", "similarity"), _spearman),
    Score("ndcg_at_10", "nDCG@10", "nDCG@10", "", ("ndcg_at_10",), _ndcg),
)
SCORE_OF_COLUMN: Final = {score.column: score for score in SCORES}


def score_of(row: Row) -> Score | None:
    """Return the score that measures the quality of a job; None if it has no score."""
    return next((score for score in SCORES if row[score.column] is not None), None)


def score_of_all(rows: Iterable[Row]) -> Score | None:
    """Return the score that measures the quality of jobs of one task; None if none of them has a score."""
    return next((score for row in rows if (score := score_of(row)) is not None), None)
