"""Define the limits that a variant must keep, in the units that people type and in the tables' own.

To add a limit, add an entry to `MEASURES` here, and its value in decision_data.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from runner.errors import UserError
from runner.results.format import significant

EPSILON: Final = 1e-9  # relative: rounding must not make a value miss a limit that equals it

#: Limits by the name of their measure, in the units of the tables: seconds, bytes, fractions.
Limits = Mapping[str, float]


@dataclass(frozen=True)
class Measure:
    """A figure that can be limited.

    Attributes:
        name: the name in the values of a variant.
        title: the name in a sentence.
        option: the option of the command line, without the dashes.
        unit: the unit that people type and read.
        factor: the size of this unit in the unit of the tables.
        scatters_with: what makes the figure scatter, and so what is resampled.
        at_least: whether the limit is the least that is allowed, not the most.
        smallest: an excess is a fraction of the limit, but at least of this value, so that a limit of 0 can be missed
            by little.
        optional: whether only some sweeps measure it.
        only_limited: whether it is shown only where it is limited.
    """

    name: str
    title: str
    option: str
    unit: str
    factor: float
    scatters_with: Literal["rounds", "examples", "nothing"]
    at_least: bool = False
    smallest: float = 0.0
    optional: bool = False
    only_limited: bool = False

    @property
    def heading(self) -> str:
        """Return the name at the head of a column."""
        return self.title if self.title != self.title.lower() else self.title.capitalize()

    def text(self, value: float, digits: int = 3) -> str:
        """Return a value with its unit, as '27.7 ms'."""
        return f"{significant(value / self.factor, digits)}{self._space}{self.unit}"

    def bound(self, limit: float) -> str:
        """Return a limit, as 'p90 ≤ 20 ms'."""
        number = f"{limit / self.factor:.10g}"
        unit = self.unit.removesuffix("s") if number == "1" and self.unit == "points" else self.unit
        return f"{self.title} {'≥' if self.at_least else '≤'} {number}{self._space}{unit}"

    def miss(self, value: float | None, limit: float) -> str:
        """Return how a value misses its limit, as 'p90 27.7 ms > 20 ms', with enough digits to distinguish them."""
        if value is None:
            return f"{self.title} not known"
        texts = ((self.text(value, digits), self.text(limit, digits)) for digits in range(3, 12))
        own, allowed = next((pair for pair in texts if pair[0] != pair[1]), (self.text(value), self.text(limit)))
        return f"{self.title} {own} {'<' if self.at_least else '>'} {allowed}"

    @property
    def _space(self) -> str:
        return "" if self.unit in ("%", "") else " "


LOSS: Final = Measure(
    "loss", "loss of quality", "margin", "points", 1e-2, "nothing", smallest=1e-2, optional=True, only_limited=True
)
#: The score is the accuracy, Spearman's correlation or nDCG@10, according to the task.
MEASURES: Final = (
    Measure("p90_seconds", "p90", "max-p90-ms", "ms", 1e-3, "rounds"),
    Measure("p95_seconds", "p95", "max-p95-ms", "ms", 1e-3, "rounds"),
    Measure("p99_seconds", "p99", "max-p99-ms", "ms", 1e-3, "rounds"),
    Measure("cold_start_seconds", "cold start", "max-cold-start-ms", "ms", 1e-3, "nothing", optional=True),
    Measure("disk_bytes", "disk", "max-disk-mb", "MB", 1e6, "nothing"),
    Measure("rss_bytes", "memory", "max-rss-mb", "MB", 1e6, "rounds"),
    Measure("score", "score", "min-score", "%", 1e-2, "examples", at_least=True),
    LOSS,
    Measure("negative_flips", "negative flips", "max-negative-flips", "%", 1e-2, "examples", smallest=1e-2),
)


def read_limits(typed: Mapping[str, str | None]) -> dict[str, float]:
    """Return the limits that were typed, by the names of their options.

    Raises:
        UserError: if one is not a number, or lies outside the allowed range.
    """
    given = ((measure, typed.get(measure.option)) for measure in MEASURES)
    return {measure.name: _limit(measure, text) for measure, text in given if text is not None}


def read_price(typed: str | None) -> float | None:
    """Return the price of a core-hour, None if none was typed."""
    return None if typed is None else _number("core-hour", typed, "a price per core-hour, such as 0.04")


def read_positive(option: str, typed: str, wanted: str) -> float:
    """Return a number above 0 that was typed for an option.

    Raises:
        UserError: if it is not a number above 0.
    """
    value = _number(option, typed, wanted)
    if value == 0:
        raise UserError(f"--{option}={typed} must be above 0. Give {wanted}.")
    return value


def _limit(measure: Measure, text: str) -> float:
    percent = measure.unit == "%"
    wanted = (
        "a percentage, such as 80, or a fraction, such as 0.8"
        if measure.at_least
        else f"a number of {measure.unit}, such as 20"
    )
    wanted = "a number of points, such as 1" if measure.unit == "points" else wanted
    value = _number(measure.option, text, "a percentage, such as 2" if percent and not measure.at_least else wanted)
    if measure.unit in ("%", "points") and value > 100:
        raise UserError(f"--{measure.option}={text} is above 100%. Give {wanted}.")
    if measure.at_least and value <= 1:
        return value  # a score may be typed as a fraction
    if not percent and value == 0:
        raise UserError(f"--{measure.option}={text} would allow nothing. Give {wanted}.")
    return value * measure.factor


def _number(option: str, text: str, wanted: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise UserError(f"--{option}={text} is not allowed. Give {wanted}.")
    return value
