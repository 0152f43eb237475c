"""The resampled outcomes of the variants, small enough for a report to contain them.

In each resample, a page has to find the fastest variant that keeps every limit. So it gets the order of the variants by
latency in each distinct resample, and the value that each measure then has. Whole numbers are packed as base64.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import Final, TypedDict

import numpy as np

from runner.recommend.decision import DecisionData
from runner.recommend.limits import MEASURES
from runner.recommend.resamples import Outcomes, Resamples

#: A page holds at most about this many characters of outcomes; the choices beyond this limit have none.
MAX_CHARACTERS: Final = 2_000_000
_RESAMPLED = [measure for measure in MEASURES if measure.scatters_with != "nothing"]

#: The unit of the steps, the distinct steps, and which of them each distinct resample has (packed; empty if only one).
Series = tuple[float, list[int], str]


class PackedOutcomes(TypedDict):
    """The outcomes of one choice, as choose.js reads them.

    Attributes:
        variants: the places of the variants that are the best under some limits, the fastest first.
        order: per distinct resample of the rounds, the variants in the order of their latency: places in `variants`.
        rounds, examples: which of the encoder's lists in `places` is that of the rounds, and that of the examples.
        series: the values of measures in the distinct resamples, relative to their measured values.
        series_of: per measure, the place in `series` for each variant; None where the measure is not known.
    """

    variants: list[int]
    order: str
    rounds: int
    examples: int
    series: list[Series]
    series_of: dict[str, list[int | None]]


class OutcomeEncoder:
    """Encodes the outcomes of one page, one choice after the other.

    Attributes:
        places: which distinct resample each resample is; choices with the same rounds or examples share a list.
    """

    def __init__(self, max_characters: int = MAX_CHARACTERS) -> None:
        self.places: list[list[int]] = []
        self._left = max_characters

    def encode(self, data: DecisionData, resamples: Resamples) -> PackedOutcomes | None:
        """Return the outcomes of a choice; None if they would make the page too large."""
        variants = self._sometimes_best(data, resamples)
        if variants is None:
            return None
        logs = np.array([resamples.log_latency(data.variants[place]) for place in variants])
        series = _Series()
        series_of = {
            measure.name: [
                series.index(resamples.outcomes(data.variants[place], measure))
                if measure.name in data.variants[place].values
                else None
                for place in variants
            ]
            for measure in _RESAMPLED
        }
        order = _packed(np.argsort(logs, axis=0, kind="stable").T, len(variants))
        self._left -= len(order) + series.characters
        return PackedOutcomes(
            variants=variants,
            order=order,
            rounds=self._place(resamples.rounds.place),
            examples=self._place(resamples.examples.place),
            series=series.packed,
            series_of=series_of,
        )

    def _sometimes_best(self, data: DecisionData, resamples: Resamples) -> list[int] | None:
        """Return all variants except those that a faster one equals or exceeds in every measure and every resample.

        The excluded ones are never the best under any limits. None if there is no room for the others.
        """
        rounds, examples = len(resamples.rounds.counts), len(resamples.examples.counts)
        characters_each = (3 * rounds + 2 * examples) * 4 / 3
        best, rows = list[int](), list[np.ndarray]()
        for place in resamples.candidates():
            row = _everything(data, resamples, place)
            if any((other <= row).all() for other in rows):
                continue
            best.append(place)
            rows.append(row)
            if len(best) * characters_each > self._left:
                return None
        return best

    def _place(self, place: np.ndarray) -> int:
        places = place.tolist()
        if places not in self.places:
            self.places.append(places)
        return self.places.index(places)


class _Series:
    """The outcomes of all variants and measures; equal outcomes, such as those of one artifact, are stored once."""

    def __init__(self) -> None:
        self.packed: list[Series] = []
        self._places: dict[str, int] = {}

    def index(self, outcomes: Outcomes) -> int:
        """Return the place of the outcomes, which are added if they are new."""
        packed = _packed_outcomes(outcomes)
        place = self._places.setdefault(str(packed), len(self.packed))
        if place == len(self.packed):
            self.packed.append(packed)
        return place

    @property
    def characters(self) -> int:
        """Return about how many characters the outcomes have as JSON."""
        return sum(map(len, self._places))


def packed_set(places: Sequence[int], after: int) -> str:
    """Return a set of places in base64: one bit for each place after a given one, up to the last of the set."""
    bits = np.zeros(max(places, default=after) - after, dtype=bool)
    bits[np.array(places, dtype=int) - after - 1] = True
    return base64.b64encode(np.packbits(bits).tobytes()).decode()


def shortened(value: float, digits: int = 12) -> float:
    """Return a number with this many significant digits, which take less space in JSON."""
    short = float(f"{value:.{digits}g}")
    return int(short) if short.is_integer() else short


def _everything(data: DecisionData, resamples: Resamples, place: int) -> np.ndarray:
    """Return the latency and all measures of a variant in all distinct resamples; lower is better."""
    variant = data.variants[place]
    parts = [resamples.log_latency(variant)]
    for measure in MEASURES:
        if measure.name in variant.values:
            values = resamples.outcomes(variant, measure).values
            parts.append(-values if measure.at_least else values)
        else:
            parts.append(np.full(len(resamples.distinct(measure).counts), math.inf))
    return np.concatenate(parts)


def _packed_outcomes(outcomes: Outcomes) -> Series:
    steps, which = np.unique(outcomes.steps, return_inverse=True)
    packed = _packed(which, len(steps)) if len(steps) > 1 else ""
    return shortened(outcomes.unit), steps.astype(int).tolist(), packed


def _packed(places: np.ndarray, below: int) -> str:
    """Return whole numbers in base64: one byte each, or two (the lower first) if there can be more than 256."""
    return base64.b64encode(places.astype("<u2" if below > 256 else "u1").tobytes()).decode()
