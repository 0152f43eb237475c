"""Compute ratios, intervals and tests, and the verdict faster, slower or tie. Pure functions of plain lists.

Each function names its method and source.

The unit is the round, because errors inside one process are not independent (Kalibera & Jones, ISMM 2013): what a
process got at its start, such as its memory layout, stays with it. Order and neighbours change from round to round
(multiple interleaved trials: Abedi & Brecht, ICPE 2017). A ratio is variant ÷ baseline, so a latency ratio below 1 is
faster. Ratios are averaged on the log scale, where ×2 and ÷2 are equally far from 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median, stdev

from scipy.special import ndtri, stdtr, stdtrit  # scipy.stats would take a second to import

TAILS = (90, 95, 99)  # the percentiles of latency that are compared, beside the median
ALPHA = 0.05  # share of false alarms that is allowed in a family of variants
Z = float(ndtri(1 - ALPHA / 2))  # standard errors to each side in a 95% interval of a normal distribution


@dataclass(frozen=True)
class StudentT:
    """An estimate that follows Student's t distribution ("Student", Biometrika 6, 1908).

    Attributes:
        estimate: the estimated value.
        error: its standard error.
        freedom: the degrees of freedom.
    """

    estimate: float
    error: float
    freedom: float

    @property
    def half_width(self) -> float:
        """Return half the width of the 95% interval."""
        return t_quantile(self.freedom) * self.error

    @property
    def low(self) -> float:
        """Return the lower end of the 95% interval."""
        return self.estimate - self.half_width

    @property
    def high(self) -> float:
        """Return the upper end of the 95% interval."""
        return self.estimate + self.half_width

    @property
    def p_value(self) -> float:
        """Return the two-sided p-value of 'the value is 0'."""
        if self.error == 0:  # all values agree to the last digit
            return 1.0 if self.estimate == 0 else 0.0
        return 2 * float(stdtr(self.freedom, -abs(self.estimate) / self.error))


def t_quantile(freedom: float) -> float:
    """Return how many standard errors a 95% interval extends to each side, for these degrees of freedom."""
    return float(stdtrit(freedom, 1 - ALPHA / 2))


def student_t(values: Sequence[float]) -> StudentT:
    """Return the mean of two or more values with its standard error s / √n, on n − 1 degrees of freedom."""
    n = len(values)
    return StudentT(fmean(values), stdev(values) / math.sqrt(n), n - 1)


@dataclass(frozen=True)
class Estimate:
    """A ratio with its 95% interval and p-value; the last three are None after a single round."""

    ratio: float
    low: float | None = None
    high: float | None = None
    p_value: float | None = None

    @property
    def half_width(self) -> float | None:
        """Return half the interval's width as a fraction of the ratio, None without an interval."""
        if self.low is None or self.high is None:
            return None
        return math.sqrt(self.high / self.low) - 1


def paired_log_ratio(variant: Mapping[int, Sequence[float]], partner: Mapping[int, Sequence[float]]) -> float | None:
    """Return the log of variant ÷ partner from calls that took turns, or None without a common turn.

    Two boxes on the same CPUs get the same inputs turn by turn, so anything that slows the machine for longer than a
    turn slows both (duet benchmarking: Bulej et al., ICPE 2020, there on two CPUs at once). The log latency of the
    partner's call with the same input, one turn away, is subtracted from the log latency of each call. The result is
    the median over the calls, which pairs that ran at two speeds of the machine hardly affect. (In the simulation of
    tests/results/test_coverage.py a median over whole turns scatters four times as much, and a mean over the calls
    eight times.)

    Args:
        variant, partner: latencies in seconds by turn, in the same order of inputs.
    """
    differences = [
        math.log(own) - math.log(other)
        for turn in variant.keys() & partner.keys()
        for own, other in zip(variant[turn], partner[turn], strict=False)  # a lost partner made fewer calls
    ]
    return median(differences) if differences else None


def log_ratio(variant: float | None, baselines: Sequence[float | None]) -> float | None:
    """Return log(variant ÷ geometric mean of the round's baselines), or None where one side is missing.

    All values are ratios to the round's partner. The partner cancels, and with it everything specific to its box. A
    drift that is linear over the round cancels for a variant in the middle. If only one baseline was measured, it is
    used alone.
    """
    known = [math.log(b) for b in baselines if b is not None and b > 0]
    if variant is None or variant <= 0 or not known:
        return None
    return math.log(variant) - fmean(known)


def estimate_ratio(log_ratios: Sequence[float]) -> Estimate | None:
    """Estimate a ratio from one log ratio per round: Student's t on the logs, transformed back by exp."""
    if not log_ratios:
        return None
    if len(log_ratios) == 1:
        return Estimate(math.exp(log_ratios[0]))
    return _ratio(student_t(log_ratios))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted so that the family-wise error rate stays at the level they are compared with.

    Step-down Bonferroni (S. Holm, Scand. J. Statist. 6, 1979). It is valid under any dependence, so the baseline that
    all variants share does no harm.
    """
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


def compare(variant: Sequence[float], other: Sequence[float]) -> Estimate | None:
    """Estimate variant ÷ other from two independent lists of logs: Welch's t (B. L. Welch, Biometrika 34, 1947).

    It is for lists that are not paired by rounds: two sweeps, or one job with one thread and with several.
    """
    if not variant or not other:
        return None
    difference = fmean(variant) - fmean(other)
    if len(variant) < 2 or len(other) < 2:
        return Estimate(math.exp(difference))
    sides = [student_t(logs) for logs in (variant, other)]
    variance = sum(side.error**2 for side in sides)
    weights = sum(side.error**4 / side.freedom for side in sides)
    freedom = variance**2 / weights if weights else 1  # without an error, the degrees of freedom do not matter
    return _ratio(StudentT(difference, math.sqrt(variance), freedom))


def noise_floor(log_ratios: Sequence[float]) -> float | None:
    """Return how far from 1 the ratio of identical code can still be, by an A/A test of one log ratio per round.

    It is the end of the 95% interval of baseline ÷ baseline that is farther from 1, as a ratio above 1. A smaller
    effect could come from the protocol itself. It is None with fewer than two rounds. (A/A tests against false changes:
    Laaber et al., Empir. Softw. Eng. 24, 2019.)
    """
    estimate = estimate_ratio(log_ratios)
    if estimate is None or estimate.low is None or estimate.high is None:
        return None
    return max(estimate.high, 1 / estimate.low)


def verdict(
    estimate: Estimate | None,
    p_value_holm: float | None,
    floor: float | None,
    disturbed: bool = False,
    words: tuple[str, str] = ("faster", "slower"),
) -> str | None:
    """Return faster, slower, tie or disturbed; None if there is no interval or no noise floor.

    It is a tie unless the ratio differs from 1 after Holm's adjustment and is farther from 1 than the noise floor.

    Args:
        estimate: the ratio variant ÷ baseline.
        p_value_holm: its p-value, adjusted.
        floor: see `noise_floor`.
        disturbed: whether the rounds were too disturbed to trust a difference. On a core that others use,
            long calls are interrupted more often than short ones, so that a fast variant looks faster than it is.
        words: the words for a ratio below 1 and for one above 1.
    """
    if estimate is None or p_value_holm is None or floor is None:
        return None
    if p_value_holm >= ALPHA or abs(math.log(estimate.ratio)) <= math.log(floor):
        return "tie"
    if disturbed:
        return "disturbed"
    return words[0] if estimate.ratio < 1 else words[1]


def wilson_interval(successes: float, n: float) -> tuple[float, float]:
    """Return the 95% score interval of a proportion (E. B. Wilson, J. Am. Statist. Assoc. 22, 1927)."""
    centre = (successes + Z * Z / 2) / (n + Z * Z)
    half = Z / (n + Z * Z) * math.sqrt(successes * (n - successes) / n + Z * Z / 4)
    return max(0.0, centre - half), min(1.0, centre + half)


def _ratio(log_ratio: StudentT) -> Estimate:
    low, high = math.exp(log_ratio.low), math.exp(log_ratio.high)
    return Estimate(math.exp(log_ratio.estimate), low, high, log_ratio.p_value)
