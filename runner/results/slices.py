"""Find the slice of the texts on which a variant loses the most. Pure functions of parallel lists.

A variant may be as accurate as its baseline over all texts, and worse on the long ones or on a rare label. Many slices
are tested, so the p-value of the worst one is adjusted for their number (Bonferroni: the slices overlap).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from runner.results.accuracy import Label
from runner.results.non_inferiority import PairedShares, paired_shares
from runner.results.records.slices import WorstSlice

LEAST_TEXTS = 20  # in a slice; smaller ones are left out
_LENGTHS = ("short", "medium", "long")


def slices_of(
    texts: Sequence[str], labels: Sequence[Label], columns: Mapping[str, Sequence[str]] | None = None
) -> dict[str, list[int]]:
    """Return the places of the texts of each slice: by label, by length in thirds, and by the user's own columns.

    A text with several labels is in the slice of each.

    Args:
        texts, labels: the texts, and the label or labels of each.
        columns: the value of each text, by the name of the column.
    """
    found: dict[str, list[int]] = defaultdict(list)
    lengths = np.array([len(text) for text in texts])
    thirds = np.searchsorted(np.quantile(lengths, [1 / 3, 2 / 3]), lengths, side="left")
    for place, (label, third) in enumerate(zip(labels, thirds, strict=True)):
        for name in sorted(label) if isinstance(label, frozenset) else [label]:
            found[f"label: {name}"].append(place)
        found[f"length: {_LENGTHS[third]}"].append(place)
    for column, values in (columns or {}).items():
        for place, value in enumerate(values):
            found[f"{column}: {value}"].append(place)
    return {name: places for name, places in found.items() if LEAST_TEXTS <= len(places) < len(texts)}


def worst_slice(
    slices: Mapping[str, Sequence[int]], baseline: Sequence[bool], variant: Sequence[bool]
) -> WorstSlice | None:
    """Return the slice with the largest loss of accuracy; None if there are no slices.

    Args:
        slices: the places of the texts of each slice.
        baseline, variant: whether each text is predicted correctly.
    """
    found = {name: _paired(places, baseline, variant) for name, places in slices.items()}
    if not found:
        return None
    worst, paired = min(found.items(), key=lambda item: item[1].value)
    low, high = paired.interval
    return WorstSlice(
        slice_worst=worst,
        slice_texts=paired.units,
        slice_accuracy_difference=paired.value,
        slice_accuracy_difference_low=low,
        slice_accuracy_difference_high=high,
        slice_p_value=min(1.0, len(found) * paired.p_value),
    )


def _paired(places: Sequence[int], baseline: Sequence[bool], variant: Sequence[bool]) -> PairedShares:
    return paired_shares([baseline[place] for place in places], [variant[place] for place in places])
