"""Keep a probability for each capacity that a service may have, and update all of them by what a probe shows.

This makes a bisection that believes no single probe: the median of the probabilities is tried next (probabilistic
bisection: Horstein, IEEE Trans. Inf. Theory 9, 1963; with a curve of unknown slope instead of yes or no, as in QUEST:
Watson & Pelli, Percept. Psychophys. 33, 1983). Without noise, it halves the interval as a plain bisection does.
"""

from __future__ import annotations

import math

import numpy as np

_LOWEST = 1 / 64  # of the offline throughput; at this rate, requests hardly ever wait for each other
WIDTH = 1.06  # the ratio of the 90th to the 10th percentile of the capacity, at which the search ends
_UNSURE = 1.2  # the same ratio, above which the result says so
_CAPACITIES = 420  # of which each has a probability
_PRIOR_POWER = 3  # of the rate, which the probability of a lower capacity follows before the first probe
_NO_RATE = 0.05  # the share of the services that keep their objective at no rate
_SLOPES = (2, 4, 8, 16, 32, 64, 128)  # the power of the rate that the share of missed requests may follow
_MOST_MISSED = 5.0  # times the share that may miss the objective; more says nothing more
_LAPSES = 0.02  # the probability that a probe says nothing about the service
_SPOILED = 0.3  # the same probability, where a pause of the machine would explain all requests that missed
_PAUSE_SECONDS = 0.3  # the longest pause that is likely


class Belief:
    """A probability for each capacity that the service may have.

    Before the first probe, the probability that the capacity is below a rate follows the cube of the rate, since most
    services hold more than half of their offline throughput. But some keep their objective at no rate.

    Args:
        top: a rate that is above the capacity.

    Attributes:
        lowest: the lowest rate that is tried.
    """

    def __init__(self, top: float) -> None:
        self._top, self.lowest, self._is_lowest_tried = top, _LOWEST * top, False
        self._capacities = np.geomspace(self.lowest, top, _CAPACITIES)
        self._capacities[0] /= 8  # stands for the services that keep the objective at no rate: until a probe keeps it
        self._slopes = np.array(_SLOPES, dtype=float)[:, None]
        likely = self._capacities**_PRIOR_POWER
        likely *= (1 - _NO_RATE) / likely.sum()
        likely[0] += _NO_RATE
        self._logs = np.tile(np.log(likely), (len(_SLOPES), 1))

    def update(self, rate: float, queries: int, missed: float, allowed: float) -> None:
        """Take a probe into account.

        The number of requests that miss comes in bursts, and a burst is about as large as the number that is allowed.
        So `missed` is taken as a Poisson number, whose mean is 1 at the capacity and follows a power of the rate.

        Args:
            rate: the rate of the probe.
            queries: the number of its requests.
            missed: the share of them that missed the objective.
            allowed: the share that may.
        """
        seen = min(missed / allowed, _MOST_MISSED)
        powers = self._slopes * np.log(rate / self._capacities)
        expected = np.exp(np.minimum(powers, math.log(_MOST_MISSED)))
        likelihood = np.exp(seen * np.minimum(powers, math.log(_MOST_MISSED)) - expected - _highest(seen))
        lapses = _SPOILED if self._is_explained_by_a_pause(missed * queries, rate) else _LAPSES
        self._logs += np.log((1 - lapses) * likelihood + lapses)
        self._is_lowest_tried |= rate <= self.lowest
        if missed <= allowed:
            self._logs[:, 0] = -math.inf

    def _is_explained_by_a_pause(self, missed: float, rate: float) -> bool:
        """Return whether a pause of the machine explains that so many requests missed the objective.

        The requests that wait after a pause are worked off at the rate that is left. So a pause spoils its own length
        ÷ (1 - rate ÷ offline throughput).
        """
        return 0 < missed / rate * (1 - rate / self._top) <= _PAUSE_SECONDS

    @property
    def median(self) -> float:
        """Return the median of the capacity, and at least the lowest rate that is tried."""
        return max(self.lowest, self._quantile(0.5))

    @property
    def ends(self) -> tuple[float, float]:
        """Return the 10th and the 90th percentile of the capacity."""
        return self._quantile(0.1), self._quantile(0.9)

    @property
    def is_clear(self) -> bool:
        """Return whether the capacity is known well enough."""
        low, high = self.ends
        return self.is_zero or (high / low <= WIDTH and low >= self.lowest)

    @property
    def doubt(self) -> str | None:
        """Return how uncertain the capacity is, or None if it is not."""
        low, high = self.ends
        return (
            f"the probes disagree: it lies between {low:.3g} and {high:.3g} a second" if high / low > _UNSURE else None
        )

    @property
    def is_zero(self) -> bool:
        """Return whether no rate keeps the objective, not even the lowest one."""
        return self._is_lowest_tried and self._quantile(0.5) <= self._capacities[0]

    def _quantile(self, share: float) -> float:
        weights = np.exp(self._logs - self._logs.max()).sum(axis=0)
        shares = np.cumsum(weights) / weights.sum()
        return float(self._capacities[np.searchsorted(shares, share)])


def _highest(seen: float) -> float:
    """Return the highest log likelihood that a mean can give a Poisson number, without the constant."""
    return seen * math.log(seen) - seen if seen > 0 else 0.0
