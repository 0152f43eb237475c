"""What a report says where int8 products may saturate; see runner/machine/int8.py."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from runner.machine.int8 import ADVICE, SEVEN_BITS
from runner.results.format import listed, percent, points
from runner.results.tables import Row

_BASIS = "These differences are to the baseline, and include all steps of a variant."


def saturation_sentence(labelled: Iterable[tuple[str, Row]]) -> str:
    """Name the variants whose int8 products may saturate on the CPU, and those with 7-bit weights; empty if none may.

    Where no variant has 7-bit weights, it advises to try one.

    Args:
        labelled: the measured rows of the summary that share a baseline, each with its name.
    """
    rows = list(labelled)
    saturating = {label: row for label, row in rows if row["int8_may_saturate"]}
    if not saturating:
        return ""
    safe = {label: row for label, row in rows if row["int8_weight_bits"] == SEVEN_BITS}
    advice = f"Weights in 7 bits do not saturate: {_listed(safe)}." if safe else ADVICE
    basis = f" {_BASIS}" if any(map(moved, saturating.values())) else ""
    return f"No VNNI on this CPU: int8 products may saturate in {_listed(saturating)}.{basis} {advice}"


def moved(row: Row) -> str:
    """Return how far the predictions differ from the baseline's; empty if that is unknown or means nothing."""
    if row["weights"] == "random" or row["changed_fraction"] is None:
        return ""
    changed = f"{percent(row['changed_fraction'])} of predictions changed"
    difference = row["accuracy_difference"]
    return changed if difference is None else f"{changed}, accuracy {points(difference)} points"


def _listed(labelled: Mapping[str, Row]) -> str:
    return listed([f"{label} ({how})" if (how := moved(row)) else label for label, row in labelled.items()])
