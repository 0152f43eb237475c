"""Find the capacity of a service: the highest rate of requests at which it keeps its objective.

Pure functions: whoever calls them runs the probes.

A probe of some seconds is noisy. Near the capacity, chance decides whether it keeps the objective, and anywhere a pause
of the machine can spoil it. So this is a bisection that believes no single probe. It keeps a probability for each
possible capacity, tries the median of them next, and updates all of them by what the probe shows (probabilistic
bisection: Horstein, IEEE Trans. Inf. Theory 9, 1963; with a curve of unknown slope instead of yes or no, as in QUEST:
Watson & Pelli, Percept. Psychophys. 33, 1983). Without noise, it halves the interval as a plain bisection does.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from runner.config.load import LoadConfig, SloConfig
from runner.results.records.load import Probe

_FIRST = 0.8  # of the offline throughput
_LOWEST = 1 / 64  # of the offline throughput; at this rate, requests hardly ever wait for each other
_WIDTH = 1.06  # the ratio of the 90th to the 10th percentile of the capacity, at which the search ends
_UNSURE = 1.2  # the same ratio, above which the result says so
_MIN_PROBES, _MAX_PROBES = 4, 14
_CAPACITIES = 420  # of which each has a probability
_SLOPES = (2, 4, 8, 16, 32, 64, 128)  # the power of the rate that the share of missed requests may follow
_MOST_MISSED = 5.0  # times the share that may miss the objective; more says nothing more
_LAPSES = 0.02  # the share of the probes that something else spoils
_MAX_LATENESS = 0.25  # of the objective's bound, for the load generator
_MAX_WAITING = 0.02  # of the time of a probe, for a worker that had no CPU
_MISSES = 5  # requests of a probe that may miss the objective; fewer would leave too much to chance
_LONGEST = 5  # times load.probe_seconds


@dataclass(frozen=True)
class Capacity:
    """What the search found.

    Attributes:
        per_second: the highest rate that keeps the objective; 0 if none does.
        reason: why it is 0, or why it is less certain than others; None if there is nothing to say.
        probes: all probes in their order, the offline one first.
        generator_limit: why the load generator, and not the service, was the limit; None if it was not.
    """

    per_second: float
    reason: str | None
    probes: list[Probe]
    generator_limit: str | None = None


def find_capacity(probe: Callable[[float], Probe], offline: Probe, load: LoadConfig) -> Capacity:
    """Find the highest rate at which the objective is kept.

    Args:
        probe: runs a probe at a rate.
        offline: a probe in which all requests arrive at once. Its throughput bounds the capacity.
        load: the load, which has the objective.
    """
    top = offline.completed_per_second or 0.0
    if top <= 0:
        return Capacity(0.0, "the service answered no request when all of them arrived at once", [offline])
    belief, probes, rate = _Belief(top), list[Probe](), _FIRST * top
    while len(probes) < _MAX_PROBES and not (len(probes) >= _MIN_PROBES and belief.is_narrow):
        probes.append(probe(rate))
        belief.update(rate, missed_fraction(probes[-1], load.slo) / _allowed(load.slo))
        rate = belief.median
    limit = _generator_limit(probes, rate, load.slo)
    if belief.is_lowest:
        return Capacity(0.0, _no_rate_holds(probes, top, load.slo), [offline, *probes], limit)
    return Capacity(rate, belief.doubt, [offline, *probes], limit)


def seed_of_probe(round_: str, number: int) -> int:
    """Return the seed of a probe: all services get the same arrivals in the same order, only at other rates.

    Args:
        round_: a text that is the same for all services that are compared.
        number: the number of the probe in its search.
    """
    return random.Random(f"{round_}-{number}").getrandbits(31)


def seconds_of_probe(rate: float, load: LoadConfig) -> float:
    """Return how long requests arrive in a probe: at a slow rate longer, until several may miss the objective.

    The time is limited, because the probes of a very slow service would take minutes.
    """
    requests = _MISSES / _allowed(load.slo)
    return min(max(load.probe_seconds, requests / rate), _LONGEST * load.probe_seconds)


def is_disturbed(probe: Probe, load: LoadConfig) -> bool:
    """Return whether something else ran on the cores of the service or of the load generator during a probe."""
    waiting = (probe.service_waiting_seconds or 0.0) / load.workers
    return waiting > _MAX_WAITING * (probe.seconds or math.inf) or _is_late(probe, load.slo)


def missed_fraction(probe: Probe, slo: SloConfig) -> float:
    """Return the share of the requests that were rejected, or answered later than the objective allows.

    Between the percentiles that are known, the log of the share of later requests is linear in the latency: the tail of
    a waiting time is exponential.
    """
    answered = (probe.completed or 0) / probe.queries if probe.queries else 0.0
    knots = [
        (0.5, probe.latency_p50_seconds),
        (0.1, probe.latency_p90_seconds),
        (0.01, probe.latency_p99_seconds),
        (0.001, probe.latency_p999_seconds),
    ]
    return 1 - answered * (1 - _share_later([(s, latency or 0.0) for s, latency in knots], slo.seconds))


def _share_later(knots: Sequence[tuple[float, float]], seconds: float) -> float:
    """Return the share of the answers that took longer than these seconds.

    Args:
        knots: shares of the answers, each with the latency that it exceeds, in the order of the latencies.
        seconds: the latency in question.
    """
    if seconds < knots[0][1]:
        return 1.0
    for (share, latency), (next_share, next_latency) in pairwise(knots):
        if seconds < next_latency:
            part = (seconds - latency) / (next_latency - latency)
            return float(share * (next_share / share) ** part)
    return 0.0


def _allowed(slo: SloConfig) -> float:
    """Return the share of the requests that may miss the objective."""
    return 1 - slo.percentile / 100


class _Belief:
    """A probability for each capacity that the service may have.

    Args:
        top: a rate that is above the capacity.
    """

    def __init__(self, top: float) -> None:
        self._capacities = np.geomspace(_LOWEST * top, top, _CAPACITIES)
        self._slopes = np.array(_SLOPES, dtype=float)[:, None]
        self._logs = np.zeros((len(_SLOPES), _CAPACITIES))

    def update(self, rate: float, missed: float) -> None:
        """Take a probe into account.

        The number of requests that miss comes in bursts, and a burst is about as large as the number that is allowed.
        So `missed` is taken as a Poisson number, whose mean is 1 at the capacity and follows a power of the rate.

        Args:
            rate: the rate of the probe.
            missed: the share of its requests that missed the objective ÷ the share that may.
        """
        seen = min(missed, _MOST_MISSED)
        powers = self._slopes * np.log(rate / self._capacities)
        expected = np.exp(np.minimum(powers, math.log(_MOST_MISSED)))
        likelihood = np.exp(seen * np.minimum(powers, math.log(_MOST_MISSED)) - expected - _highest(seen))
        self._logs += np.log((1 - _LAPSES) * likelihood + _LAPSES)

    @property
    def median(self) -> float:
        """Return the median of the capacity."""
        return self._quantile(0.5)

    @property
    def ends(self) -> tuple[float, float]:
        """Return the 10th and the 90th percentile of the capacity."""
        return self._quantile(0.1), self._quantile(0.9)

    @property
    def is_narrow(self) -> bool:
        """Return whether the capacity is known well enough."""
        low, high = self.ends
        return high / low <= _WIDTH

    @property
    def doubt(self) -> str | None:
        """Return how uncertain the capacity is, or None if it is not."""
        low, high = self.ends
        return (
            f"the probes disagree: it lies between {low:.3g} and {high:.3g} a second" if high / low > _UNSURE else None
        )

    @property
    def is_lowest(self) -> bool:
        """Return whether the capacity is below all rates that are tried."""
        return bool(self.median <= self._capacities[0] * _WIDTH)

    def _quantile(self, share: float) -> float:
        weights = np.exp(self._logs - self._logs.max()).sum(axis=0)
        shares = np.cumsum(weights) / weights.sum()
        return float(self._capacities[np.searchsorted(shares, share)])


def _highest(seen: float) -> float:
    """Return the highest log likelihood that a mean can give a Poisson number, without the constant."""
    return seen * math.log(seen) - seen if seen > 0 else 0.0


def _no_rate_holds(probes: Sequence[Probe], top: float, slo: SloConfig) -> str:
    """Return the reason for a capacity of 0, with the latency at the slowest rate."""
    slowest = min(probes, key=lambda probe: probe.asked_per_second or 0.0)
    rate = slowest.asked_per_second or 0.0
    latency = slowest.slo_latency_seconds
    seen = "too many requests were rejected" if latency is None else f"it is {1000 * latency:.3g} ms"
    return (
        f"no rate keeps the objective of {slo.milliseconds:g} ms for the {slo.percentile:g}th percentile: even at "
        f"{rate:.3g} requests a second, {rate / top:.0%} of the offline throughput, {seen}"
    )


def _generator_limit(probes: Sequence[Probe], capacity: float, slo: SloConfig) -> str | None:
    """Return why the generator was the limit: most of the probes that missed the objective missed it by its lateness.

    Only the probes up to a little above the capacity decide, since a generator may well be late at higher rates.
    """
    near = [p for p in probes if not p.holds and (p.asked_per_second or 0.0) <= capacity * _WIDTH]
    if 2 * sum(_is_late(probe, slo) and _would_hold(probe, slo) for probe in near) <= len(near):
        return None
    most = max(probe.generator_late_seconds or 0.0 for probe in near)
    return (
        f"the load generator, not the service, was the limit: it issued requests up to {1000 * most:.3g} ms late, and "
        f"the objective is {slo.milliseconds:g} ms. Leave its core to it, or measure a slower service"
    )


def _is_late(probe: Probe, slo: SloConfig) -> bool:
    """Return whether the load generator issued requests so late that it shows in their latency."""
    return (probe.generator_late_seconds or 0.0) > _MAX_LATENESS * slo.seconds


def _would_hold(probe: Probe, slo: SloConfig) -> bool:
    """Return whether the objective would have been kept without the lateness of the load generator."""
    latency = math.inf if probe.slo_latency_seconds is None else probe.slo_latency_seconds
    return latency - (probe.generator_late_seconds or 0.0) <= slo.seconds
