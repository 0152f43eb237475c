"""The choice under given limits, and how sure it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from runner.recommend.decision import DecisionData, excess
from runner.recommend.limits import MEASURES, Limits
from runner.recommend.resamples import RESAMPLES, Resamples


@dataclass(frozen=True)
class Recommendation:
    """The choice among the variants of a DecisionData; a variant is identified by its place; the fastest is 0.

    Attributes:
        fails: per variant, the measures whose limit it does not keep.
        winner: the fastest variant that keeps every limit; None if there is none.
        nearest: if there is none, the variant whose largest excess is the smallest; also None if no value is known.
        excess, excess_measure: this excess as a fraction of the limit, and its measure.
        shares: the share of resamples in which a variant keeps every limit and is the fastest. It is given for
            every variant that could keep all limits in a resample; empty if there was only one round.
        none_fits: the share of resamples in which no variant keeps every limit; None without a bootstrap.
        ties: variants that keep every limit and whose latency cannot be distinguished from the winner's.
    """

    fails: list[list[str]]
    winner: int | None
    nearest: int | None
    excess: float | None
    excess_measure: str | None
    shares: dict[int, float]
    none_fits: float | None
    ties: list[int]

    @property
    def fitting(self) -> list[int]:
        """Return the variants that keep every limit, the fastest first."""
        return [place for place, fails in enumerate(self.fails) if not fails]


def choose(data: DecisionData, limits: Limits) -> Recommendation:
    """Choose the fastest variant that keeps every limit.

    A bootstrap shows how sure that is: rounds and examples are resampled, and the choice is repeated. It covers the
    random variation of rounds and texts. It does not cover another machine or texts of another kind, and few rounds
    show little of the variation between rounds.
    """
    limited = [measure for measure in MEASURES if measure.name in limits]
    excesses = [
        {measure.name: variant.excess(measure, limits[measure.name]) for measure in limited}
        for variant in data.variants
    ]
    fails = [[name for name, missed in own.items() if missed > 0] for own in excesses]
    fitting = [place for place, own in enumerate(fails) if not own]
    largest = [max(own.values(), default=0.0) for own in excesses]
    known = [place for place, missed in enumerate(largest) if missed < math.inf]
    nearest = min(known, key=lambda place: largest[place]) if known and not fitting else None
    resamples = Resamples(data)
    fixed = {measure.name for measure in limited if measure.scatters_with == "nothing"}
    possible = [place for place in known if fixed.isdisjoint(fails[place])]
    shares, none_fits = _shares(data, resamples, limits, possible)
    return Recommendation(
        fails=fails,
        winner=fitting[0] if fitting else None,
        nearest=nearest,
        excess=None if nearest is None else largest[nearest],
        excess_measure=None if nearest is None else max(excesses[nearest], key=lambda name: excesses[nearest][name]),
        shares=shares,
        none_fits=none_fits,
        ties=_ties(data, resamples, fitting),
    )


def _shares(
    data: DecisionData, resamples: Resamples, limits: Limits, possible: Sequence[int]
) -> tuple[dict[int, float], float | None]:
    """Return per possible variant the share of resamples in which it is the best, and the share in which none fits."""
    if any(data.variants[place].block.rounds < 2 for place in possible):
        return {}, None
    rivals = [place for place in resamples.candidates() if place in set(possible)]
    if not rivals:
        return {}, 1.0
    keeps = np.array([_keeps(data, resamples, place, limits) for place in rivals])
    logs = np.array([resamples.log_latency(data.variants[place])[resamples.rounds.place] for place in rivals])
    best = np.where(keeps, logs, math.inf).argmin(axis=0)
    wins = np.bincount(best[keeps.any(axis=0)], minlength=len(rivals))
    shares = dict.fromkeys(possible, 0.0) | {
        place: int(won) / RESAMPLES for place, won in zip(rivals, wins, strict=True)
    }
    return shares, int(RESAMPLES - wins.sum()) / RESAMPLES


def _keeps(data: DecisionData, resamples: Resamples, place: int, limits: Limits) -> np.ndarray:
    """Return whether a variant keeps every limit in each resample, [RESAMPLES]."""
    keeps = np.ones(RESAMPLES, dtype=bool)
    for measure in MEASURES:
        if measure.name in limits:
            outcomes = resamples.outcomes(data.variants[place], measure)
            keeps &= (excess(outcomes.values, measure, limits[measure.name]) == 0)[resamples.distinct(measure).place]
    return keeps


def _ties(data: DecisionData, resamples: Resamples, fitting: Sequence[int]) -> list[int]:
    if not fitting or any(data.variants[place].block.rounds < 2 for place in fitting):
        return []
    ties = set(resamples.ties(fitting[0]))
    return [place for place in fitting if place in ties]
