"""The bootstrap: resample rounds and examples 1,000 times, and compute the figures of each variant in each resample.

B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap", 1993. All variants get the same resamples. Few rounds
have few distinct resamples, so everything is computed once for each distinct one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import numpy as np

from runner.recommend.decision import STEP, DecisionData, Variant, to_steps
from runner.recommend.limits import MEASURES, Measure
from runner.recommend.mistakes import unpack
from runner.results.pareto import count_dominating
from runner.results.statistics import t_quantile

RESAMPLES: Final = 1000
#: A variant that this many others dominate is not resampled, because it is never the best.
MAX_DOMINATING: Final = 50
_ROUNDS_SEED, _EXAMPLES_SEED = 1, 2


@dataclass(frozen=True)
class Distinct:
    """The distinct resamples of the rounds or of the examples.

    Attributes:
        counts: how often each round or example is in each distinct resample, [distinct, rounds or examples].
        place: the distinct resample that each of the 1,000 is, [RESAMPLES].
    """

    counts: np.ndarray
    place: np.ndarray


@dataclass(frozen=True)
class Outcomes:
    """A measure of a variant in each distinct resample: value + unit × steps.

    Attributes:
        steps: whole numbers, [distinct].
    """

    value: float
    unit: float
    steps: np.ndarray

    @property
    def values(self) -> np.ndarray:
        """Return the measure in each distinct resample."""
        outcomes: np.ndarray = self.value + self.unit * self.steps
        return outcomes


_NOTHING = Distinct(np.zeros((1, 0)), np.zeros(RESAMPLES, dtype=int))


class Resamples:
    """The resamples of the variants that can be chosen.

    Attributes:
        rounds, examples: the distinct resamples.
    """

    def __init__(self, data: DecisionData) -> None:
        self._data = data
        self.rounds = _resampled_rounds(tuple(sorted({block.rounds for block in data.blocks})))
        self.examples = _resampled_examples(data.examples)

    @cached_property
    def dominating(self) -> np.ndarray:
        """Return how many variants dominate each variant, by their measured figures, [variants]."""
        objectives = [[_objective(variant, measure) for measure in MEASURES] for variant in self._data.variants]
        return count_dominating(np.array(objectives).reshape(-1, len(MEASURES)))

    def candidates(self) -> list[int]:
        """Return the variants that may be the best under some limits, the fastest first."""
        return [int(place) for place in np.flatnonzero(self.dominating < MAX_DOMINATING)]

    def distinct(self, measure: Measure) -> Distinct:
        """Return the distinct resamples of rounds or examples, according to what a measure scatters with."""
        return {"rounds": self.rounds, "examples": self.examples, "nothing": _NOTHING}[measure.scatters_with]

    def log_latency(self, variant: Variant) -> np.ndarray:
        """Return the log latency in each distinct resample of the rounds, in steps: whole numbers."""
        counts = self._counts(variant)
        logs = variant.log_latency + _rounded(counts @ np.array(variant.latency_steps) / max(variant.block.rounds, 1))
        return logs + _rounded(_medians(counts, variant.block.clock)) if variant.paired else logs

    def outcomes(self, variant: Variant, measure: Measure) -> Outcomes:
        """Return a known measure of a variant in each distinct resample (see `distinct`)."""
        value = variant.values[measure.name]
        if measure.scatters_with == "rounds":
            medians = _medians(self._counts(variant), variant.ratio_steps[measure.name])
            return Outcomes(value, value * STEP / 2, np.rint(2 * medians))
        if measure.scatters_with == "nothing":
            return Outcomes(value, 0.0, np.zeros(1))
        more_mistakes = self._more_mistakes(variant, only_flips=measure.name == "negative_flips")
        return Outcomes(value, (-1 if measure.at_least else 1) * self._per_mistake, more_mistakes)

    def ties(self, winner: int) -> list[int]:
        """Return the slower variants whose latency cannot be distinguished from that of the winner.

        A latency is distinguished where its difference from the winner's exceeds Student's t times the bootstrap's
        standard error of this difference, and also the noise floor. With few rounds a percentile interval would be too
        narrow (T. C. Hesterberg, "What teachers should know about the bootstrap", Am. Stat. 69, 2015).
        """
        slower = np.arange(winner + 1, len(self._data.variants))
        scatter, errors, quantiles = self._scatter, self._errors, self._quantiles
        difference = self._log_latencies - self._log_latencies[winner]
        floors = np.maximum(self._noise_floors, self._noise_floors[winner])
        quantiles = np.maximum(quantiles, quantiles[winner])
        largest = np.maximum(quantiles * (errors + errors[winner]), floors)  # if both scattered in opposite directions
        near = slower[difference[slower] <= largest[slower]]
        error = self._standard_errors(scatter[near] - scatter[winner])
        tied = difference[near] <= np.maximum(quantiles[near] * error, floors[near])
        return [int(place) for place in near[tied]]

    def _standard_errors(self, outcomes: np.ndarray) -> np.ndarray:
        """Return the standard deviation over the resamples of each row of outcomes, [rows, distinct]."""
        weights = np.bincount(self.rounds.place, minlength=len(self.rounds.counts)) / RESAMPLES
        means = outcomes @ weights
        errors: np.ndarray = np.sqrt(np.maximum((outcomes * outcomes) @ weights - means * means, 0.0))
        return errors

    @cached_property
    def _log_latencies(self) -> np.ndarray:
        return np.array([variant.log_latency for variant in self._data.variants], dtype=float)

    @cached_property
    def _scatter(self) -> np.ndarray:
        """Return by how much each log latency differs from the measured one in each distinct resample, in steps."""
        return np.array([self.log_latency(variant) - variant.log_latency for variant in self._data.variants])

    @cached_property
    def _errors(self) -> np.ndarray:
        return self._standard_errors(self._scatter)

    @cached_property
    def _quantiles(self) -> np.ndarray:
        """Return Student's t for the rounds of each variant; not a number for a single round."""
        return np.array([t_quantile(variant.block.rounds - 1) for variant in self._data.variants])

    @cached_property
    def _noise_floors(self) -> np.ndarray:
        """Return the log of the noise floor of each variant, in steps; 0 if it is not known."""
        floors = [variant.block.noise_floor or 1.0 for variant in self._data.variants]
        return np.array([to_steps(math.log(floor)) for floor in floors], dtype=float)

    def _counts(self, variant: Variant) -> np.ndarray:
        """Return how often each round of a variant's block is in each distinct resample, [distinct, rounds]."""
        rounds = variant.block.rounds
        lengths = sorted({block.rounds for block in self._data.blocks})
        start = sum(length for length in lengths if length < rounds)
        return self.rounds.counts[:, start : start + rounds]

    def _more_mistakes(self, variant: Variant, only_flips: bool) -> np.ndarray:
        """Return how many more mistakes, or negative flips, are in each distinct resample than were measured."""
        baseline, kept = variant.block.mistakes, self._data.examples
        if variant.mistakes is None or (only_flips and baseline is None):
            return np.zeros(len(self.examples.counts))
        wrong = unpack(variant.mistakes, kept)
        if only_flips and baseline is not None:
            wrong = wrong & ~unpack(baseline, kept)
        more: np.ndarray = self.examples.counts @ wrong - int(wrong.sum())
        return more

    @property
    def _per_mistake(self) -> float:
        """Return the share of one mistake, scaled to the scatter of as many examples as there are texts."""
        kept = self._data.examples
        return math.sqrt(kept / self._data.texts) / kept if kept else 0.0


def mulberry32(seed: int, count: int) -> np.ndarray:
    """Return the first numbers of the generator, 32 bits each (T. Ettinger, public domain, 2017).

    It is the same on every platform and in every version of numpy.
    """
    state: np.ndarray = (np.uint32(seed) + np.arange(1, count + 1, dtype=np.uint32) * np.uint32(0x6D2B79F5)).astype(
        np.uint32
    )
    mixed: np.ndarray = (state ^ state >> np.uint32(15)) * (state | np.uint32(1))
    mixed ^= mixed + (mixed ^ mixed >> np.uint32(7)) * (mixed | np.uint32(61))
    mixed ^= mixed >> np.uint32(14)
    return mixed


@lru_cache(maxsize=8)
def _resampled_rounds(lengths: tuple[int, ...]) -> Distinct:
    """Resample the rounds of blocks of these lengths, side by side; blocks of one length get the same rounds."""
    drawn = [_counts(_ROUNDS_SEED, max(lengths), length) for length in lengths]
    return _distinct(np.concatenate(drawn, axis=1) if drawn else np.zeros((RESAMPLES, 0), dtype=int))


@lru_cache(maxsize=8)
def _resampled_examples(kept: int) -> Distinct:
    return _distinct(_counts(_EXAMPLES_SEED, kept, kept))


def _counts(seed: int, width: int, below: int) -> np.ndarray:
    """Return how often each of `below` places is among the first `below` of `width` random ones, [RESAMPLES, below]."""
    numbers = mulberry32(seed, RESAMPLES * width).astype(np.uint64).reshape(RESAMPLES, width)[:, :below]
    places = (numbers * np.uint64(below) >> np.uint64(32)).astype(np.int64)
    flat = (places + below * np.arange(RESAMPLES)[:, None]).ravel()
    return np.bincount(flat, minlength=RESAMPLES * below).reshape(RESAMPLES, below)


def _distinct(counts: np.ndarray) -> Distinct:
    if not counts.shape[1]:
        return _NOTHING
    distinct, place = np.unique(counts, axis=0, return_inverse=True)
    return Distinct(distinct.astype(float), place.reshape(-1))


def _medians(counts: np.ndarray, values: Sequence[int]) -> np.ndarray:
    """Return the median of each resample of the values, given how often each value is in it."""
    size = len(values)
    if not size:
        return np.zeros(len(counts))
    order = np.argsort(values)
    ordered, below = np.array(values)[order], counts[:, order].cumsum(axis=1)
    lower, upper = ((below > rank).argmax(axis=1) for rank in ((size - 1) // 2, size // 2))
    medians: np.ndarray = (ordered[lower] + ordered[upper]) / 2
    return medians


def _objective(variant: Variant, measure: Measure) -> float:
    """Return a measure of a variant so that lower is better; infinity if it is not known."""
    value = variant.values.get(measure.name, math.nan)
    return math.inf if math.isnan(value) else -value if measure.at_least else value


def _rounded(values: np.ndarray) -> np.ndarray:
    """Round to the nearest whole number, halves up."""
    return np.floor(values + 0.5)
