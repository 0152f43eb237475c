"""Statistics as small pure functions over plain lists; each names its method and source.

The unit is the round, because errors inside one process are not independent (Kalibera & Jones, ISMM 2013): what a
process was dealt at its start, such as its memory layout, stays with it. Order and neighbours change from round to
round (multiple interleaved trials: Abedi & Brecht, ICPE 2017). A ratio is variant ÷ baseline, so a latency ratio below
1 is faster. Ratios are averaged on the log scale, where ×2 and ÷2 are equally far from 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median, stdev

from scipy.special import ndtri, stdtr, stdtrit  # scipy.stats would take a second to import

ALPHA = 0.05  # false alarms allowed per family of variants


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

    Two boxes on the same CPUs get the same inputs turn by turn, so what slows the machine for longer than a turn
    slows both (duet benchmarking: Bulej et al., ICPE 2020, there on two CPUs at once). Per call: its log latency less
    that of the partner's call with the same input, a turn away; over the calls: the median, which pairs whose halves
    met different speeds do not move. (In the simulation of tests/results/test_coverage.py a median over whole turns
    scatters four times as much, a mean over the calls eight times.)

    Args:
        variant, partner: latencies in seconds by turn, in the same order of inputs.
    """
    differences = [
        math.log(own) - math.log(other)
        for turn in variant.keys() & partner.keys()
        for own, other in zip(variant[turn], partner[turn], strict=False)  # a partner that got lost made fewer
    ]
    return median(differences) if differences else None


def log_ratio(variant: float | None, baselines: Sequence[float | None]) -> float | None:
    """Return log(variant ÷ geometric mean of the round's baselines), or None where one side is missing.

    All of them are ratios to the round's partner, which drops out, and with it whatever its box was dealt. A drift
    that is linear over the round cancels for a variant in the middle. If only one baseline was measured, it stands
    alone.
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
    half = float(stdtrit(n - 1, 1 - ALPHA / 2)) * error
    certain = 1.0 if mean == 0 else 0.0  # rounds that agree to the last digit
    p_value = 2 * float(stdtr(n - 1, -abs(mean) / error)) if error > 0 else certain
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


def compare(variant: Sequence[float], other: Sequence[float]) -> Estimate | None:
    """Estimate variant ÷ other from two independent lists of logs: Welch's t (B. L. Welch, Biometrika 34, 1947).

    For what no round pairs: two sweeps, or one job with one thread and with several.
    """
    if not variant or not other:
        return None
    difference = fmean(variant) - fmean(other)
    if len(variant) < 2 or len(other) < 2:
        return Estimate(math.exp(difference))
    errors = [stdev(logs) ** 2 / len(logs) for logs in (variant, other)]
    error = math.sqrt(sum(errors))
    if error == 0:
        ratio = math.exp(difference)  # values that agree to the last digit
        return Estimate(ratio, ratio, ratio, 1.0 if difference == 0 else 0.0)
    freedom = sum(errors) ** 2 / sum(e**2 / (len(logs) - 1) for e, logs in zip(errors, (variant, other), strict=True))
    half = float(stdtrit(freedom, 1 - ALPHA / 2)) * error
    p_value = 2 * float(stdtr(freedom, -abs(difference) / error))
    return Estimate(math.exp(difference), math.exp(difference - half), math.exp(difference + half), p_value)


def noise_floor(log_ratios: Sequence[float]) -> float | None:
    """Return how far from 1 the ratio of identical code can still be, by an A/A test of one log ratio per round.

    The end of the 95% interval of baseline ÷ baseline that is farther from 1, as a ratio above 1: an effect within it
    could be the protocol's own. None with fewer than two rounds. (A/A tests against false changes: Laaber et al.,
    Empir. Softw. Eng. 24, 2019.)
    """
    estimate = estimate_ratio(log_ratios)
    if estimate is None or estimate.low is None or estimate.high is None:
        return None
    return max(estimate.high, 1 / estimate.low)


def verdict(estimate: Estimate | None, p_value_holm: float | None, floor: float | None) -> str | None:
    """Return faster, slower or tie; None where there is no interval or no noise floor to evaluate by.

    Not a tie only if the ratio differs from 1 after Holm's adjustment and is farther from 1 than the floor.
    """
    if estimate is None or p_value_holm is None or floor is None:
        return None
    if p_value_holm >= ALPHA or abs(math.log(estimate.ratio)) <= math.log(floor):
        return "tie"
    return "faster" if estimate.ratio < 1 else "slower"


def wilson_interval(successes: float, n: float) -> tuple[float, float]:
    """Return the 95% score interval of a proportion (E. B. Wilson, J. Am. Statist. Assoc. 22, 1927)."""
    z = float(ndtri(1 - ALPHA / 2))
    centre = (successes + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * math.sqrt(successes * (n - successes) / n + z * z / 4)
    return max(0.0, centre - half), min(1.0, centre + half)
