"""How far a figure of two sides differs on the same units, with a bootstrap interval. A unit is a pair or a query.

Units are resampled with replacement, each with both its values (paired bootstrap). A resample is written as how often
it holds each unit, and every figure here is a function of such counts. Intervals are BCa; see
`runner.results.accuracy_difference.bca`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from runner.results.accuracy_difference import RESAMPLES, Difference, bca

_CELLS = 2**21  # counts that are held in memory at once

Statistic = Callable[[np.ndarray], np.ndarray]  # from counts, [resamples, units], to [resamples]


def paired_mean_difference(baseline: Sequence[float], variant: Sequence[float], seed: int = 0) -> Difference:
    """Return the mean of the variant less that of the baseline, both of the same units.

    Args:
        baseline, variant: a value for each unit.
        seed: the seed of the resampling; the same seed gives the same interval.
    """
    gains = np.asarray(variant, dtype=float) - np.asarray(baseline, dtype=float)
    return _difference(lambda counts: counts @ gains / counts.sum(axis=-1), len(gains), seed)


def correlation_differences(
    scores: Sequence[float], baseline: Sequence[float], variant: Sequence[float], seed: int = 0
) -> tuple[Difference, Difference]:
    """Return Spearman's and Pearson's correlation of the variant with the scores, less those of the baseline.

    Args:
        scores, baseline, variant: a value for each unit.
        seed: the seed of the resampling.
    """
    truth = Ranked(scores)
    sides = [Ranked(side) for side in (baseline, variant)]

    def spearman(counts: np.ndarray) -> np.ndarray:
        ranks, (before, after) = truth.ranks(counts), (side.ranks(counts) for side in sides)
        return correlation(ranks, after, counts) - correlation(ranks, before, counts)

    def pearson(counts: np.ndarray) -> np.ndarray:
        before, after = (correlation(truth.values, side.values, counts) for side in sides)
        return after - before

    return _difference(spearman, len(truth.values), seed), _difference(pearson, len(truth.values), seed)


class Ranked:
    """Values whose ranks in any resample are found without sorting again.

    Args:
        values: a value for each unit.

    Attributes:
        values: the values as an array.
    """

    def __init__(self, values: Sequence[float]) -> None:
        self.values = np.asarray(values, dtype=float)
        _, self._group = np.unique(self.values, return_inverse=True)
        self._order = np.argsort(self._group, kind="stable")
        self._starts = np.searchsorted(self._group[self._order], np.arange(self._group.max() + 1))

    def ranks(self, counts: np.ndarray) -> np.ndarray:
        """Return the rank of each unit in each resample, [resamples, units]; equal values share their mean rank."""
        sizes = np.add.reduceat(counts[:, self._order], self._starts, axis=1)
        middles = sizes.cumsum(axis=1) - (sizes - 1) / 2
        ranks: np.ndarray = middles[:, self._group]
        return ranks


def correlation(x: np.ndarray, y: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return Pearson's correlation in each resample. It is not a number where one side does not vary.

    Args:
        x, y: the values of the units, [units] or [resamples, units].
        counts: how often a resample holds each unit, [resamples, units].
    """
    total = counts.sum(axis=-1, keepdims=True)
    x, y = (values - (counts * values).sum(axis=-1, keepdims=True) / total for values in (x, y))
    weighted = counts * x
    squares = (weighted * x).sum(axis=-1) * (counts * y * y).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: np.ndarray = (weighted * y).sum(axis=-1) / np.sqrt(squares)
    return found


def _difference(statistic: Statistic, units: int, seed: int) -> Difference:
    """Return a statistic of all units with its 95% BCa interval."""
    whole = np.ones((1, units))
    value = statistic(whole)[0]
    generator = np.random.default_rng(seed)
    resamples = np.concatenate(
        [
            statistic(generator.multinomial(units, whole[0] / units, len(part)).astype(float))
            for part in _parts(RESAMPLES, units)
        ]
    )
    without_one = np.concatenate([statistic(_left_out(part, units)) for part in _parts(units, units)])
    return bca(value, resamples, without_one, whole[0])


def _left_out(part: range, units: int) -> np.ndarray:
    """Return the counts of all units less one, for each of some units."""
    counts = np.ones((len(part), units))
    counts[np.arange(len(part)), part] = 0
    return counts


def _parts(rows: int, units: int) -> Iterator[range]:
    """Divide rows of counts so that a part fits into memory."""
    step = max(1, _CELLS // units)
    return (range(start, min(start + step, rows)) for start in range(0, rows, step))
