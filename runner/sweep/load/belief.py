"""Keep a probability for each capacity that a service may have, and update the probabilities after each probe.

This is a bisection that does not rely on any single probe: it next tries the median of the probabilities (probabilistic
bisection: Horstein, IEEE Trans. Inf. Theory 9, 1963). Instead of yes or no, it uses a curve of unknown slope, as QUEST
does (Watson & Pelli, Percept. Psychophys. 33, 1983). Without noise, it halves the interval like a plain bisection.
"""

from __future__ import annotations

import math

import numpy as np

_LOWEST = 1 / 64  # the lowest rate, as a share of the offline throughput: requests hardly ever wait for each other
WIDTH = 1.06  # the ratio of the 90th to the 10th percentile of the capacity, at which the search ends
_UNSURE = 1.2  # above this value of the same ratio, the result says that it is uncertain
_CAPACITIES = 420  # the number of capacities that have a probability
_PRIOR_POWER = 3  # before the first probe, the probability of a lower capacity follows this power of the rate
_NO_RATE = 0.05  # the share of the services that keep their objective at no rate
_SLOPES = (2, 4, 8, 16, 32, 64, 128)  # the share of missed requests may follow one of these powers of the rate
_MOST_MISSED = 5.0  # the largest ratio of missed to allowed requests that counts; a larger one tells nothing more
_LAPSES = 0.02  # the probability that a probe says nothing about the service
_SPOILED = 0.3  # the same probability if a pause of the machine would explain all requests that missed
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
        self._capacities[0] /= 8  # stands for services that keep the objective at no rate, until a probe keeps it
        self._slopes = np.array(_SLOPES, dtype=float)[:, None]
        likely = self._capacities**_PRIOR_POWER
        likely *= (1 - _NO_RATE) / likely.sum()
        likely[0] += _NO_RATE
        self._logs = np.tile(np.log(likely), (len(_SLOPES), 1))

    def update(self, rate: float, queries: int, missed: float, allowed: float) -> None:
        """Take a probe into account.

        Requests miss the objective in bursts, and a burst is about as large as the number of allowed misses. Therefore
        `missed` ÷ `allowed` is treated as a Poisson number. Its mean is 1 at the capacity and follows a power of the
        rate.

        Args:
            rate: the rate of the probe.
            queries: the number of its requests.
            missed: the share of its requests that missed the objective.
            allowed: the share of its requests that may miss the objective.
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
        """Return whether a pause of the machine explains the number of requests that missed the objective.

        After a pause, the service answers the waiting requests with its spare throughput. So a pause delays requests
        for its own length ÷ (1 - rate ÷ offline throughput).
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
