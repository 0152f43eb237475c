"""Find the capacity of a service: the highest rate of requests at which it keeps its objective.

These are pure functions: their caller runs the probes.

All probes of a search get the same arrivals at different rates (common random numbers: Law, Simulation Modeling and
Analysis, 2015, chapter 11). So chance does not favour one rate or one service over another. The noise of the machine
remains: near the capacity, it decides whether a probe keeps the objective, and a pause can spoil any probe. Therefore
the search does not rely on a single probe; see `Belief`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from runner.config.load import LoadConfig, SloConfig
from runner.results.records.load import Probe
from runner.sweep.load.belief import WIDTH, Belief

_FIRST = 0.8  # the first rate, as a share of the offline throughput
_MIN_PROBES, _MAX_PROBES = 4, 10
_MAX_LATENESS = 0.25  # how late the load generator may be, as a share of the objective's bound
_MAX_WAITING = 0.02  # the share of a probe's time for which a worker may have no CPU
_MISSES = 10  # the number of requests of a probe that may miss the objective; with fewer, chance matters too much
_HOPELESS = 0.5  # if more than this share of the requests miss the objective, it may be that no rate keeps it
_FEW_MISSES = 5  # if fewer requests than this may miss the objective, the result says that it may be too high
_LONGEST, _USUAL_LENGTH = 5, 3.5  # the longest and the usual length of a probe, in units of load.probe_seconds


@dataclass(frozen=True)
class Capacity:
    """The result of a search.

    Attributes:
        per_second: the highest rate that keeps the objective, or 0 if none does.
        reason: why it is 0, or why it is less certain than others. Otherwise, it is None.
        probes: all probes in their order, the offline one first.
        generator_limit: why the load generator, and not the service, was the limit, or None if it was not.
    """

    per_second: float
    reason: str | None
    probes: list[Probe]
    generator_limit: str | None = None


def find_capacity(probe: Callable[[float], Probe], offline: Probe, load: LoadConfig) -> Capacity:
    """Find the highest rate at which the objective is kept.

    Args:
        probe: a function that runs a probe at a rate.
        offline: a probe in which all requests arrive at once. Its throughput bounds the capacity.
        load: the load, which has the objective.
    """
    top = offline.completed_per_second or 0.0
    if top <= 0:
        return Capacity(0.0, "the service answered no request when all of them arrived at once", [offline])
    belief, probes, rate = Belief(top), list[Probe](), _FIRST * top
    while len(probes) < _MIN_PROBES or (len(probes) < _MAX_PROBES and not belief.is_clear):
        probes.append(probe(rate))
        missed = missed_fraction(probes[-1], load.slo)
        belief.update(rate, probes[-1].queries or 0, missed, _allowed(load.slo))
        rate = belief.lowest if _is_hopeless(probes, load.slo) else belief.median
    capacity = belief.median
    limit = _generator_limit(probes, capacity, load.slo)
    if belief.is_zero:
        return Capacity(0.0, _no_rate_holds(probes, top, load.slo), [offline, *probes], limit)
    doubts = [doubt for doubt in (belief.doubt, _few_requests(probes[-1], load.slo)) if doubt]
    return Capacity(capacity, "; ".join(doubts) or None, [offline, *probes], limit)


def seed_of_arrivals(round_: str) -> int:
    """Return the seed of all probes of a round.

    Args:
        round_: a text that is the same for all services that are compared.
    """
    return random.Random(round_).getrandbits(31)


def seconds_of_probe(rate: float, load: LoadConfig) -> float:
    """Return how long requests arrive in a probe. At a low rate it is longer, so that several may miss the objective.

    The time is limited, because the probes of a very slow service would take minutes.
    """
    requests = _MISSES / _allowed(load.slo)
    return min(max(load.probe_seconds, requests / rate), _LONGEST * load.probe_seconds)


def usual_seconds(load: LoadConfig) -> float:
    """Return how long a search usually takes: all its probes, each until enough requests may miss the objective."""
    return _MAX_PROBES * _USUAL_LENGTH * load.probe_seconds


def is_disturbed(probe: Probe, load: LoadConfig) -> bool:
    """Return whether something else ran on the cores of the service or of the load generator during a probe."""
    waiting = (probe.service_waiting_seconds or 0.0) / load.workers
    return waiting > _MAX_WAITING * (probe.seconds or math.inf) or _is_late(probe, load.slo)


def missed_fraction(probe: Probe, slo: SloConfig) -> float:
    """Return the share of the requests that were rejected, or answered later than the objective allows.

    Between the known percentiles, the log of the share of later requests is taken as linear in the latency, because the
    tail of a waiting time is exponential.
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


def _is_hopeless(probes: Sequence[Probe], slo: SloConfig) -> bool:
    """Return whether the last two probes answered most requests too late, so that the lowest rate must be tried."""
    return len(probes) > 1 and all(missed_fraction(probe, slo) > _HOPELESS for probe in probes[-2:])


def _few_requests(probe: Probe, slo: SloConfig) -> str | None:
    """Return a warning if a probe had too few requests to show the rare long waits, or None if it had enough."""
    if probe.queries is None or probe.queries * _allowed(slo) >= _FEW_MISSES:
        return None
    return (
        f"a probe had only {probe.queries} requests, which is too few to show the rare long waits: the capacity may be "
        "too high by a third or more. A longer load.probe_seconds helps"
    )


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
    """Return why the generator was the limit, or None if it was not.

    It was the limit if most probes that missed the objective missed it only because the generator was late. Only probes
    up to slightly above the capacity count, because a generator may be late at higher rates.
    """
    near = [p for p in probes if not p.holds and (p.asked_per_second or 0.0) <= capacity * WIDTH]
    if 2 * sum(_is_late(probe, slo) and _would_hold(probe, slo) for probe in near) <= len(near):
        return None
    most = max(probe.generator_late_seconds or 0.0 for probe in near)
    return (
        f"the load generator, not the service, was the limit: it issued requests up to {1000 * most:.3g} ms late, and "
        f"the objective is {slo.milliseconds:g} ms. Keep other programs off its core, or measure a slower service"
    )


def _is_late(probe: Probe, slo: SloConfig) -> bool:
    """Return whether the load generator issued requests so late that it shows in their latency."""
    return (probe.generator_late_seconds or 0.0) > _MAX_LATENESS * slo.seconds


def _would_hold(probe: Probe, slo: SloConfig) -> bool:
    """Return whether the objective would have been kept without the lateness of the load generator."""
    latency = math.inf if probe.slo_latency_seconds is None else probe.slo_latency_seconds
    return latency - (probe.generator_late_seconds or 0.0) <= slo.seconds
