"""Extract values from the JSON of another tool, check them, and summarize them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any


def part(document: dict[str, Any], key: str) -> dict[str, Any]:
    """Return a mapping inside a mapping; empty if it is null or missing.

    Raises:
        ValueError: if it is something else.
    """
    value = document.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"'{key}' is not a mapping")
    return value


def numbers(values: Any) -> list[float]:
    """Return a list of positive numbers.

    Raises:
        ValueError: if it is something else.
    """
    if not isinstance(values, list):
        raise ValueError("a list of numbers was expected")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            raise ValueError(f"{str(value)[:30]} is not a positive number")
    return [float(value) for value in values]


def p50(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def p90(values: Sequence[float]) -> float:
    """Return the 90th percentile, between values by linear interpolation."""
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=10, method="inclusive")[-1]
