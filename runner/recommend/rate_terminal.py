"""A recommendation under a rate of requests, on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from runner.console import styled
from runner.recommend import messages
from runner.recommend.capacity import Capacity
from runner.recommend.choose import Recommendation
from runner.recommend.decision import DecisionData
from runner.recommend.limits import Limits
from runner.recommend.prices import Prices
from runner.recommend.queueing import Prediction, error
from runner.recommend.rate import Fleet, RateChoice, Serving, fleets, per_million
from runner.results.format import UNKNOWN, listed, milliseconds, per_second, pluralize, signed, significant

MAX_ROWS = 30  # variants; a sweep may have thousands
_VARIANT_WIDTH = 14  # characters; the titles of the other columns are broken first


@dataclass(frozen=True)
class Pricing:
    """What a core costs per hour, or the types of instances; both are None where no price was given."""

    core_hour: float | None = None
    prices: Prices | None = None

    @property
    def is_given(self) -> bool:
        """Return whether there are prices."""
        return self.core_hour is not None or self.prices is not None

    def fleets(self, data: DecisionData, serving: Serving) -> list[Fleet]:
        """Return the whole instances that hold the rate, the cheapest first; none without a file of prices."""
        rss_bytes = data.variants[serving.place].values.get("rss_bytes")
        memory = None if rss_bytes is None else rss_bytes * serving.capacity.workers
        return fleets(serving, self.prices.instances, memory) if self.prices else []

    def per_hour(self, data: DecisionData, serving: Serving) -> float | None:
        """Return what serving the rate costs per hour; None if it is not known, or no type has room for a replica."""
        if self.core_hour is not None:
            return self.core_hour * serving.cores
        return min((fleet.price_per_hour for fleet in self.fleets(data, serving)), default=None)

    def per_million(self, data: DecisionData, serving: Serving, rate: float) -> str:
        """Return what a million requests cost at a rate, in the currency."""
        price = self.per_hour(data, serving)
        return UNKNOWN if price is None else self.amount(per_million(price, rate))

    def amount(self, value: float) -> str:
        """Return an amount with the currency, if that is known."""
        return messages.price(value) + (f" {self.prices.currency}" if self.prices else "")


def print_rate(
    data: DecisionData,
    chosen: Recommendation,
    at: RateChoice,
    limits: Limits,
    pricing: Pricing,
    predicted: Mapping[str, Prediction],
    console: Console,
) -> None:
    """Print one choice: the variant with the fewest cores, why, its cost, and the cores of the others."""
    console.print(styled(f"{data.title}, isolation {data.isolation}", "bold"))
    if not data.variants:
        console.print(styled("Nothing was measured: there is nothing to choose from.", "red"))
        return
    also = f", {messages.limits_line(data, limits)}" if limits else ""
    console.print(styled(f"Wanted: {per_second(at.rate)} with {at.objective}{also}"))
    winner = at.winner
    if winner is None:
        console.print(styled("→ No variant holds the rate and keeps every limit.", "bold red"))
    else:
        console.print(styled(f"→ {data.variants[winner.place].label}: {_needs(winner)}", "bold green"))
        for sentence in [
            *_reasons(data, at, winner),
            *_model(at, winner, predicted.get(data.variants[winner.place].job)),
            *_costs(data, at, winner, pricing),
        ]:
            console.print(Padding(styled(sentence), (0, 0, 0, 2)))
    console.print(_table(data, chosen, at, limits, pricing, predicted))
    hidden = len(data.variants) - MAX_ROWS
    if hidden > 0:
        console.print(styled(f"… and {pluralize(hidden, 'variant')} more."))
    for label, problem in data.failed[:MAX_ROWS]:
        console.print(styled(f"Left out: {label}, {problem}.", "red"))


def _reasons(data: DecisionData, at: RateChoice, winner: Serving) -> list[str]:
    """Return why a variant is chosen, and how sure that is."""
    capacity = winner.capacity
    held = per_second(capacity.per_second)
    if capacity.low is None:
        margin = f"A replica holds {held}. One round gives no interval, so it is counted without a margin."
    else:
        margin = (
            f"A replica holds {held} (95% interval {interval(capacity)}) and is counted with the lower end, so "
            f"{pluralize(winner.replicas, 'replica')} can serve {per_second(winner.replicas * capacity.low)}."
        )
        if capacity.rounds < messages.FEW_ROUNDS:
            margin += f" With {pluralize(capacity.rounds, 'round')}, that is a rough figure."
    others = len(at.fitting)
    variants = pluralize(len(data.variants), "variant")
    reason = f"The fewest cores of {others} that hold the rate and keep every limit, out of {variants}."
    if others == 1:
        reason = f"The only one that holds the rate and keeps every limit, out of {variants}."
    ties = [f"{data.variants[one.place].label} ({_tie(one)})" for one in at.ties]
    tied = [f"May need as few cores: {listed(ties, '; ')}."] if ties else []
    return [margin, reason, *tied]


def _needs(serving: Serving) -> str:
    replicas = f"{pluralize(serving.replicas, 'replica')} of {serving.capacity.configuration}"
    return f"{replicas}, {pluralize(serving.cores, 'core')}"


def interval(capacity: Capacity) -> str:
    """Return the 95% interval of a capacity, as '102 to 110'."""
    low, high = capacity.low, capacity.high
    return UNKNOWN if low is None or high is None else f"{significant(low)} to {significant(high)}"


def _tie(serving: Serving) -> str:
    cores = pluralize(serving.cores, "core")
    return cores if serving.cores == serving.least_cores else f"{serving.least_cores} to {cores}"


def _model(at: RateChoice, winner: Serving, expected: Prediction | None) -> list[str]:
    """Return what the queueing model expects, to compare it with what was measured."""
    if expected is None:
        return []
    each, percentile = at.rate / winner.replicas, at.objective.percentile
    seconds = expected.model.latency(each, percentile)
    held = expectation(expected.per_second, winner.capacity.per_second)
    latency = f"p{percentile:g} of {milliseconds(seconds)} at {per_second(each)}"
    return [f"A queueing model of its single calls expects {held} of a replica, and a {latency}."]


def expectation(predicted: float | None, measured: float) -> str:
    """Return a predicted capacity with its error, as '588 /s (−4.5%)'."""
    if predicted is None:
        return UNKNOWN
    off = error(predicted, measured)
    return per_second(predicted) + ("" if off is None else f" ({signed(100 * off, 1)}%)")


def _costs(data: DecisionData, at: RateChoice, winner: Serving, pricing: Pricing) -> list[str]:
    """Return what a million requests cost, and with prices which instances are needed."""
    cost = pricing.per_million(data, winner, at.rate)
    if pricing.core_hour is not None:
        return [f"A million requests at this rate cost {cost}, at {pricing.core_hour:g} per core-hour."]
    if pricing.prices is None:
        return []
    own = pricing.fleets(data, winner)
    if not own:
        return ["No type of instance has room for a replica of it."]
    lines = [
        f"A million requests at this rate cost {cost}, on whole instances at the prices of {pricing.prices.date}. "
        "Their cores are assumed to be as fast as those of this sweep."
    ]
    lines += [
        f"{fleet.count} × {fleet.instance.name} with up to {pluralize(fleet.replicas_each, 'replica')} each: "
        f"{pricing.amount(fleet.price_per_hour)} an hour, {pricing.amount(per_million(fleet.price_per_hour, at.rate))} "
        "a million."
        for fleet in own
    ]
    prices = {one.place: pricing.per_hour(data, one) for one in at.fitting}
    cheapest = min((price, place) for place, price in prices.items() if price is not None)
    if cheapest[0] < own[0].price_per_hour:
        label, price = data.variants[cheapest[1]].label, pricing.amount(per_million(cheapest[0], at.rate))
        lines.append(f"Cheapest that fits: {label}, {price} a million.")
    return lines


def _table(
    data: DecisionData,
    chosen: Recommendation,
    at: RateChoice,
    limits: Limits,
    pricing: Pricing,
    predicted: Mapping[str, Prediction],
) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("Variant", overflow="fold", min_width=_VARIANT_WIDTH)
    costs = ["Per million"] if pricing.is_given else []
    for title in ("A replica holds", "95% interval", "Model", "Replicas", "Cores", *costs):
        table.add_column(title, justify="right")
    table.add_column("Fails on", overflow="fold")
    failing = [serving for serving in at.servings if chosen.fails[serving.place]]
    for serving in [*at.fitting, *failing][:MAX_ROWS]:
        price = [pricing.per_million(data, serving, at.rate)] if pricing.is_given else []
        cells = [
            data.variants[serving.place].label,
            per_second(serving.capacity.per_second),
            interval(serving.capacity),
        ]
        model = predicted.get(data.variants[serving.place].job)
        cells.append(expectation(None if model is None else model.per_second, serving.capacity.per_second))
        cells += [f"{serving.replicas:,}", f"{serving.cores:,}", *price]
        cells.append(messages.misses(data, chosen, serving.place, limits))
        style = "bold green" if serving == at.winner else "bright_black" if chosen.fails[serving.place] else ""
        table.add_row(*(styled(cell, style) for cell in cells))
    for place, reason in list(at.cannot.items())[: max(0, MAX_ROWS - len(at.servings))]:
        cells = [data.variants[place].label, *([UNKNOWN] * (5 + len(costs))), reason]
        table.add_row(*(styled(cell, "bright_black") for cell in cells))
    return table
