"""Test whether a variant is worse than its baseline by less than a margin. Pure functions of paired scores.

Both sides have a score on the same units, which are texts or queries, so that an easy or a hard sample cancels. The
difference is variant − baseline, and a variant is non-inferior if its difference is above −margin (S. Wellek, "Testing
statistical hypotheses of equivalence and noninferiority", 2nd edition, 2010). A p-value of inferiority is twice the
one-sided one. So it is below 5% where the 95% interval lies above −margin, which is the level that regulators of
medicines ask for (ICH E9, 1998).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

import numpy as np
from scipy.special import bdtr, gammaln, ndtri, stdtr, xlog1py, xlogy

from runner.results.statistics import ALPHA, StudentT, Z

Numbers = TypeVar("Numbers", float, np.ndarray)

POWER: Final = 0.8  # the probability of a decision with `units_needed` units
QUALITY_VERDICTS: Final = ("better", "equivalent", "worse", "undecided")
CERTIFIED: Final = ("better", "equivalent")

_Z_POWER = float(ndtri(POWER))
_TOLERANCE = 1e-9  # of a score statistic: rounding must not exclude the observed outcome
_WINDOW = 10  # standard deviations around the expected gains; the probability outside is negligible


class Paired(Protocol):
    """A difference of two scores on the same units."""

    @property
    def units(self) -> int:
        """Return the number of units, which are independent of each other."""

    @property
    def value(self) -> float:
        """Return variant − baseline."""

    @property
    def deviation(self) -> float:
        """Return the standard deviation over the units of a unit's difference."""

    @property
    def interval(self) -> tuple[float, float]:
        """Return the 95% interval of the difference."""

    @property
    def p_value(self) -> float:
        """Return the two-sided p-value of 'there is no difference'."""

    def inferiority_p_value(self, margin: float) -> float:
        """Return the p-value of 'the variant is worse by the margin or more'."""

    def null_deviation(self, difference: float) -> float:
        """Return the standard deviation of a unit's difference, if this is the true difference."""


@dataclass(frozen=True)
class PairedShares:
    """The shares of units that two sides have right, where a unit is right or wrong.

    Attributes:
        units: the number of units.
        losses: how many of them only the baseline has right.
        gains: how many of them only the variant has right.
    """

    units: int
    losses: int
    gains: int

    @property
    def value(self) -> float:
        """Return variant − baseline."""
        return (self.gains - self.losses) / self.units

    @property
    def deviation(self) -> float:
        """Return the standard deviation over the units of a unit's difference, which is −1, 0 or 1."""
        return math.sqrt((self.gains + self.losses) / self.units - self.value**2)

    @property
    def interval(self) -> tuple[float, float]:
        """Return the 95% score interval (T. Tango, Statist. Med. 17, 1998).

        It holds all differences that the score test does not reject. With few losses and gains it covers the truth
        more often than intervals around the estimate, and without any of them its width is still above 0.
        """
        return self._end(Z, -1.0, self.value), self._end(-Z, self.value, 1.0)

    def _end(self, z: float, low: float, high: float) -> float:
        """Return, by bisection, the difference at which the decreasing score statistic equals `z`."""
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (middle, high) if _score(self.units, self.losses, self.gains, middle) > z else (low, middle)
        return (low + high) / 2

    @property
    def p_value(self) -> float:
        """Return the two-sided p-value of 'there is no difference' (Q. McNemar, Psychometrika 12, 1947).

        The test is exact. If nothing changed, the variant's part of the units that only one side has right is binomial
        with probability ½.
        """
        differing = self.losses + self.gains
        return min(1.0, 2 * float(bdtr(min(self.losses, self.gains), differing, 0.5))) if differing else 1.0

    def inferiority_p_value(self, margin: float) -> float:
        """Return the p-value of 'the variant is worse by the margin or more'.

        The test uses Tango's score statistic. Its tail is not taken from the normal distribution, but summed over all
        outcomes at the rates of losses and gains that are the most likely under the hypothesis. (C. J. Lloyd, M. V.
        Moldovan, Statist. Med. 27, 2008, who call it the E p-value; B. E. Storer, C. Kim, J. Am. Statist. Assoc. 85,
        1990.) An adjustment for many variants needs the far tail. There, with few losses, the normal distribution gives
        several times the probability.
        """
        if self.value <= -margin:
            return 1.0
        n, observed = self.units, float(_score(self.units, self.losses, self.gains, -margin)) - _TOLERANCE
        loss_rate = float(_loss_rate(self.losses / n, self.gains / n, -margin))
        gain_rate = max(0.0, loss_rate - margin)
        reach = _WINDOW * (1 + math.sqrt(n * gain_rate))
        gains = np.arange(max(0, math.floor(n * gain_rate - reach)), min(n, math.ceil(n * gain_rate + reach)) + 1)
        most = _most_losses(n, gains, -margin, observed)
        chances = gammaln(n + 1) - gammaln(gains + 1) - gammaln(n - gains + 1)
        chances = np.exp(chances + xlogy(gains, gain_rate) + xlog1py(n - gains, -gain_rate))
        tails = np.where(most < 0, 0.0, bdtr(np.maximum(most, 0), n - gains, loss_rate / (1 - gain_rate)))
        return min(1.0, 2 * float(chances @ tails))

    def null_deviation(self, difference: float) -> float:
        """Return the standard deviation of a unit's difference, if this is the true difference."""
        rate = float(_loss_rate(self.losses / self.units, self.gains / self.units, difference))
        return math.sqrt(2 * rate + difference - difference**2)


@dataclass(frozen=True)
class PairedMeans:
    """A difference of two scores that is, at least to first order, a mean over units.

    Tests and interval are Student's t over the units. Without any scatter the interval is the value alone.

    Attributes:
        value: variant − baseline.
        deviation: the standard deviation over the units of a unit's difference.
        units: the number of units, at least 2.
    """

    value: float
    deviation: float
    units: int

    @property
    def _student(self) -> StudentT:
        return StudentT(self.value, self.deviation / math.sqrt(self.units), self.units - 1)

    @property
    def interval(self) -> tuple[float, float]:
        """Return the 95% interval."""
        return self._student.low, self._student.high

    @property
    def p_value(self) -> float:
        """Return the two-sided p-value of 'there is no difference'."""
        return self._student.p_value

    def inferiority_p_value(self, margin: float) -> float:
        """Return the p-value of 'the variant is worse by the margin or more'."""
        above, error = self.value + margin, self._student.error
        if above <= 0 or error == 0:
            return float(above <= 0)
        return 2 * float(stdtr(self.units - 1, -above / error))

    def null_deviation(self, difference: float) -> float:
        """Return the standard deviation of a unit's difference, which does not depend on the true difference."""
        return self.deviation


def paired_shares(baseline: Sequence[bool], variant: Sequence[bool]) -> PairedShares:
    """Return how often only one of the sides is right.

    Args:
        baseline, variant: whether each unit is right, in the same order.
    """
    pairs = Counter(zip(baseline, variant, strict=True))
    return PairedShares(len(baseline), pairs[True, False], pairs[False, True])


def paired_mean_difference(
    baseline: Sequence[float] | np.ndarray, variant: Sequence[float] | np.ndarray
) -> PairedMeans:
    """Return the mean difference of two scores of each unit, such as nDCG of each query.

    (Student's t for scores of queries: M. D. Smucker et al., CIKM 2007.)

    Args:
        baseline, variant: the score of each unit, in the same order; of at least two units.
    """
    differences = np.asarray(variant, dtype=float) - np.asarray(baseline, dtype=float)
    return PairedMeans(float(differences.mean()), float(differences.std(ddof=1)), len(differences))


def paired_score_difference(score: Callable[[np.ndarray], float], units: int) -> PairedMeans:
    """Return the difference of a score that is not a mean over units, such as F1 or a correlation.

    Jackknife: the score is computed once without each unit, which shows how far each unit shifts it (J. W. Tukey,
    Ann. Math. Statist. 29, 1958; B. Efron, C. Stein, Ann. Statist. 9, 1981).

    Args:
        score: returns the score of the variant minus that of the baseline, for the units at the given places.
        units: the number of units, at least 2.
    """
    places = np.arange(units)
    without_one = np.array([score(np.delete(places, place)) for place in places])
    pseudo_values = (units - 1) * (without_one.mean() - without_one)
    return PairedMeans(score(places), float(pseudo_values.std(ddof=1)), units)


def quality_verdict(difference: float, p_value: float, inferiority_p_value: float) -> str:
    """Return better, equivalent, worse or undecided.

    Better: a higher score is shown. Equivalent: any loss is shown to be below the margin. Worse: a loss is shown, but
    it is not shown to be below the margin. Everything else is undecided.

    Args:
        difference: variant − baseline.
        p_value: the p-value of 'there is no difference', adjusted.
        inferiority_p_value: the p-value of 'the variant is worse by the margin or more', adjusted.
    """
    if difference > 0 and p_value < ALPHA:
        return "better"
    if inferiority_p_value < ALPHA:
        return "equivalent"
    return "worse" if p_value < ALPHA else "undecided"


def units_needed(paired: Paired, margin: float, undecided: int = 1) -> int | None:
    """Return how many units would decide with 80% probability, if losses and gains are as frequent as here.

    They would decide for `equivalent` or for `worse`, depending on which needs fewer units. The result is None if
    neither is possible. (J.-m. Nam, Biometrics 53, 1997, for shares; the same with one deviation for means.)

    Args:
        paired: the difference that was measured.
        margin: the margin.
        undecided: the number of variants that are still undecided, among which a p-value is adjusted.
    """
    z = float(ndtri(1 - ALPHA / 2 / undecided))
    distances = {-margin: paired.value + margin, 0.0: -paired.value}  # from the hypothesis to reject
    needed = [
        ((z * paired.null_deviation(null) + _Z_POWER * paired.deviation) / distance) ** 2
        for null, distance in distances.items()
        if distance > 0
    ]
    return max(math.ceil(min(needed)), paired.units + 1) if needed else None


def detectable_difference(paired: Paired) -> float:
    """Return the smallest margin that this number of units with this deviation certifies with 80% probability.

    It holds for a variant that loses nothing. It is also about the smallest loss that these units can show. Without any
    losses and gains it is above 0, because a few of them could have been missed.
    """
    low, high, root = 0.0, 1.0, math.sqrt(paired.units)
    for _ in range(30):
        middle = (low + high) / 2
        is_certified = middle * root > Z * paired.null_deviation(-middle) + _Z_POWER * paired.deviation
        low, high = (low, middle) if is_certified else (middle, high)
    return high


def _loss_rate(loss_share: Numbers, gain_share: Numbers, difference: float) -> Numbers:
    """Return the most likely rate of losses, if this is the true difference of the rates."""
    half = (2 - gain_share + loss_share) * difference - gain_share - loss_share
    root = np.sqrt(half**2 + 8 * loss_share * difference * (1 - difference))
    rate: Numbers = np.maximum((root - half) / 4, max(0.0, -difference))
    return rate


def _score(units: int, losses: Numbers, gains: Numbers, difference: float) -> Numbers:
    """Return Tango's score statistic: how many standard errors the estimate is above a difference."""
    rate = _loss_rate(losses / units, gains / units, difference)
    variance = 2 * rate + difference - difference**2
    distance = (gains - losses) / units - difference
    statistic: Numbers = distance * math.sqrt(units) / np.sqrt(np.maximum(variance, np.finfo(float).tiny))
    return statistic


def _most_losses(units: int, gains: np.ndarray, difference: float, observed: float) -> np.ndarray:
    """Return, for each number of gains, the most losses with at least the observed score; −1 if there are none.

    It is found by bisection, since the score decreases as the losses increase.
    """
    low, high = np.full(len(gains), -1), units - gains + 1  # `low` has such a score, and `high` does not
    while (high - low > 1).any():
        middle = (low + high) // 2
        enough = _score(units, middle, gains, difference) >= observed
        low, high = np.where(enough, middle, low), np.where(enough, high, middle)
    return low
