"""Make the table of capacities: what each service holds, what a queueing model expects, and what a rate costs."""

from __future__ import annotations

import math

from runner.recommend.capacity import Capacity
from runner.recommend.decision import Variant
from runner.recommend.decision_data import decision_data
from runner.recommend.queueing import Prediction, predictions
from runner.recommend.rate import per_million
from runner.recommend.rate_terminal import expectation, interval
from runner.results.format import UNKNOWN, per_second, pluralize, significant
from runner.results.tables import Tables

_RATES = (10, 100, 1000)  # requests a second, for which cores are counted
TITLE = "Capacity: requests a second"
EXPLAINED = (
    "A service holds a rate if the percentile of the latency keeps the objective. The model is a simulated queue with "
    "the times of single calls; its error is in brackets. The cores for a rate are those of whole services, each "
    "counted with the lower end of its interval. The core-hours are those of a million requests at this rate, not at "
    "full use: multiplied by your price of a core-hour, they are the cost. `pinbox recommend --rate` does this for any "
    "rate."
)
COLUMNS = (
    "Variant",
    "Service",
    "Objective",
    "Holds",
    "95% interval",
    "Model",
    *(f"Cores for {r:,} /s" for r in _RATES),
)


def serving_rows(tables: Tables) -> list[list[tuple[str, str]]]:
    """Return one row of COLUMNS for each measured capacity, the highest first. A cell is its text and its note."""
    variants = [variant for data in decision_data(tables) for variant in data.variants if variant.capacity]
    capacities = {variant.job: variant.capacity for variant in variants if variant.capacity}
    expected = predictions(tables, capacities)
    ranked = sorted(variants, key=lambda variant: -capacities[variant.job].per_second)
    return [_row(variant, capacities[variant.job], expected.get(variant.job)) for variant in ranked]


def _row(variant: Variant, capacity: Capacity, expected: Prediction | None) -> list[tuple[str, str]]:
    held = per_second(capacity.per_second) if capacity.per_second else "no rate"
    model = expectation(None if expected is None else expected.per_second, capacity.per_second)
    return [
        (variant.label, ""),
        (capacity.configuration, ""),
        (str(capacity.objective), ""),
        (held, pluralize(capacity.rounds, "round")),
        (interval(capacity), ""),
        (model, ""),
        *(_cores(capacity, rate) for rate in _RATES),
    ]


def _cores(capacity: Capacity, rate: int) -> tuple[str, str]:
    """Return the cores that a rate needs, and the core-hours of a million requests."""
    if capacity.safe_per_second <= 0:
        return UNKNOWN, ""
    cores = math.ceil(rate / capacity.safe_per_second) * capacity.cores
    return f"{cores:,}", f"{significant(per_million(cores, rate))} core-hours a million"
