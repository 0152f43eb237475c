"""The choice under a rate of requests: the variant that holds the rate on the fewest cores, and what that costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from runner.errors import UserError
from runner.recommend.capacity import Capacity, Objective
from runner.recommend.choose import Recommendation
from runner.recommend.decision import DecisionData
from runner.recommend.prices import Instance
from runner.results.format import listed


@dataclass(frozen=True)
class Serving:
    """How a variant holds the rate.

    Attributes:
        place: the variant, by its place in the data.
        capacity: what one replica holds.
        replicas: how many replicas the rate needs, each counted with the lower end of its interval.
        least_replicas: how many it needs if each holds the upper end.
    """

    place: int
    capacity: Capacity
    replicas: int
    least_replicas: int

    @property
    def cores(self) -> int:
        """Return the cores of all replicas."""
        return self.replicas * self.capacity.cores

    @property
    def least_cores(self) -> int:
        """Return the cores that are enough if each replica holds the upper end of its interval."""
        return self.least_replicas * self.capacity.cores


@dataclass(frozen=True)
class RateChoice:
    """The choice under a rate and the other limits.

    Attributes:
        rate: requests a second.
        objective: the objective that their latency must keep.
        servings: the variants that hold the rate, the fewest cores first; of equal ones, the most spare capacity.
        fitting: those that keep the other limits, too, in the same order.
        cannot: per variant that does not hold the rate, the reason.
    """

    rate: float
    objective: Objective
    servings: list[Serving]
    fitting: list[Serving]
    cannot: dict[int, str]

    @property
    def winner(self) -> Serving | None:
        """Return the serving with the fewest cores; None if none fits."""
        return self.fitting[0] if self.fitting else None

    @property
    def ties(self) -> list[Serving]:
        """Return the others that may need as few cores as the winner, given the intervals of their capacities."""
        return [one for one in self.fitting[1:] if one.least_cores <= self.fitting[0].cores]


@dataclass(frozen=True)
class Fleet:
    """Whole instances of one type that hold the rate.

    Attributes:
        instance: their type.
        count: how many are needed.
        replicas_each: how many replicas one has room for.
    """

    instance: Instance
    count: int
    replicas_each: int

    @property
    def price_per_hour(self) -> float:
        """Return the price of all of them for an hour."""
        return self.count * self.instance.price_per_hour


def chosen_objective(data: Sequence[DecisionData], asked: Objective | None) -> Objective:
    """Return the objective that capacities are compared under: the one that was asked for, or the one measured.

    Raises:
        UserError: if no capacity was measured, or not under this objective, or under several if none was asked for.
    """
    capacities = [variant.capacity for choice in data for variant in choice.variants if variant.capacity]
    measured = sorted({capacity.objective for capacity in capacities})
    if not measured:
        raise UserError("The sweep measured no capacity, which --rate needs. Run it with load=open.")
    names = listed([str(objective) for objective in measured])
    if asked is None and len(measured) == 1:
        return measured[0]
    if asked is None:
        raise UserError(f"The sweep measured capacities under several objectives ({names}). Choose with --slo-p99-ms.")
    if asked not in measured:
        raise UserError(
            f"The objective {asked} was not measured; measured: {names}. Choose a measured one, or run the sweep with "
            f"load.slo.percentile={asked.percentile:g} load.slo.milliseconds={1000 * asked.seconds:g}."
        )
    return asked


def choose_for_rate(data: DecisionData, chosen: Recommendation, rate: float, objective: Objective) -> RateChoice:
    """Choose the variant that holds a rate on the fewest cores.

    The rate is spread over replicas at random, so that the requests of each one still arrive at random.

    Args:
        data: the variants.
        chosen: which limits each of them keeps.
        rate: requests a second.
        objective: one that was measured.
    """
    servings, cannot = [], {}
    for place, variant in enumerate(data.variants):
        capacity = variant.capacity
        if capacity is None or capacity.objective != objective:
            cannot[place] = f"capacity not measured under {objective}"
        elif capacity.safe_per_second <= 0:
            cannot[place] = f"no rate keeps {objective} in every round"
        else:
            replicas = math.ceil(rate / capacity.safe_per_second)
            servings.append(
                Serving(place, capacity, replicas, math.ceil(rate / (capacity.high or capacity.per_second)))
            )
    servings.sort(key=lambda one: (one.cores, -one.replicas * one.capacity.safe_per_second))
    fitting = [serving for serving in servings if not chosen.fails[serving.place]]
    return RateChoice(rate, objective, servings, fitting, cannot)


def fleets(serving: Serving, instances: Sequence[Instance], replica_bytes: float | None) -> list[Fleet]:
    """Return how many whole instances of each type hold the rate, the cheapest first.

    Args:
        serving: the replicas.
        instances: the types. One that has no room for a replica is left out.
        replica_bytes: the memory of a replica; None if it is not known, and then only cores are counted.
    """
    found = []
    for instance in instances:
        each = instance.cores // serving.capacity.cores
        if replica_bytes:
            each = min(each, int(instance.memory_bytes // replica_bytes))
        if each:
            found.append(Fleet(instance, math.ceil(serving.replicas / each), each))
    return sorted(found, key=lambda fleet: fleet.price_per_hour)


def per_million(price_per_hour: float, rate: float) -> float:
    """Return what a million requests cost at a rate, if the cores or instances cost this much an hour."""
    return price_per_hour / (3600 * rate) * 1e6
