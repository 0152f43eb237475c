"""The choice, and how sure it is. templates/choose.js is the same in the browser, to the last digit: change both."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from runner.recommend.draws import DRAWS, drawn_examples, drawn_rounds
from runner.recommend.evidence import STEP, Block, Question
from runner.recommend.examples import unpack
from runner.recommend.limits import MEASURES, Limits, Measure

#: So many variants enter the bootstrap: the fastest that keep the limits, and the nearest misses.
CONTENDERS: Final = 50
EPSILON: Final = 1e-9  # a limit that was typed as it was read is kept


@dataclass(frozen=True)
class Answer:
    """The choice in one question; variants are places in its columns.

    Attributes:
        order: all variants, the fastest first.
        fails: per variant, by place, the measures whose limit it does not keep.
        winner: the fastest that keeps every limit; None if none does.
        nearest: if none does, the variant with the smallest largest excess; None too if no value is known.
        excess, excess_measure: that excess as a fraction of the limit, and whose.
        probability: of the contenders to be the best, as far as the bootstrap can say: the share of draws in which
            one keeps every limit and is the fastest. Empty if no round was repeated.
        none_fits: the share of draws in which no contender keeps every limit; None without a bootstrap.
        ties: variants that keep every limit and whose latency cannot be told from the winner's.
    """

    order: list[int]
    fails: list[list[str]]
    winner: int | None
    nearest: int | None
    excess: float | None
    excess_measure: str | None
    probability: dict[int, float]
    none_fits: float | None
    ties: list[int]

    @property
    def fitting(self) -> list[int]:
        """Return the variants that keep every limit, the fastest first."""
        return [one for one in self.order if not self.fails[one]]


def choose(question: Question, limits: Limits) -> Answer:
    """Choose the fastest variant that keeps every limit.

    How sure that is comes from a bootstrap (B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap", 1993):
    in each of 1,000 draws the rounds are resampled, the same for all variants, and so are the examples; then the
    choice is made anew. It covers how rounds and texts happened to fall out. It does not cover another machine, nor
    texts of another kind, and few rounds say little about rounds.
    """
    count = len(question["label"])
    order = sorted(range(count), key=lambda one: (question["latency_seconds"][one], one))
    excesses = [_excesses(question, one, limits) for one in range(count)]
    fails = [[name for name, excess in own.items() if excess > 0] for own in excesses]
    fitting = [one for one in order if not fails[one]]
    worst = [max(own.values(), default=0.0) for own in excesses]
    missing = sorted((one for one in order if fails[one] and worst[one] < math.inf), key=lambda one: worst[one])
    nearest = missing[0] if missing and not fitting else None
    contenders = sorted(
        [*fitting[:CONTENDERS], *[one for one in missing if "disk_bytes" not in fails[one]][:CONTENDERS]],
        key=lambda one: (question["latency_seconds"][one], one),
    )
    probability, none_fits = _probability(question, contenders, limits)
    return Answer(
        order=order,
        fails=fails,
        winner=fitting[0] if fitting else None,
        nearest=nearest,
        excess=None if nearest is None else worst[nearest],
        excess_measure=None if nearest is None else max(excesses[nearest], key=lambda name: excesses[nearest][name]),
        probability=probability,
        none_fits=none_fits,
        ties=_ties(question, fitting[: CONTENDERS + 1]),
    )


def value(question: Question, one: int, measure: str) -> float | None:
    """Return a variant's value of a measure, None if it is not known."""
    if measure in ("accuracy", "negative_flips"):
        wrong = question["wrong" if measure == "accuracy" else "flips"][one]
        if wrong is None:
            return None
        right_or_flipped = question["examples"] - wrong if measure == "accuracy" else wrong
        return right_or_flipped / question["examples"]
    known: float | None = question[measure][one]  # type: ignore[literal-required]
    return known


def cost(question: Question, one: int, core_hour: float) -> float:
    """Return the price of a million texts: all cores of a variant, for as long as it takes, at full use."""
    hours = question["latency_seconds"][one] / 3600
    return core_hour * question["threads"][one] * hours / question["batch_size"] * 1e6


def _excesses(question: Question, one: int, limits: Limits) -> dict[str, float]:
    """Return by how much of each limit a variant misses it; 0 if it keeps it, infinite if its value is not known."""
    known = [(measure, value(question, one, measure.name)) for measure in MEASURES if measure.name in limits]
    return {
        measure.name: math.inf if own is None else float(_excess(np.array(own), measure, limits[measure.name]))
        for measure, own in known
    }


def _excess(own: np.ndarray, measure: Measure, limit: float) -> np.ndarray:
    excess = (limit - own if measure.at_least else own - limit) / max(limit, measure.smallest)
    return np.where(excess > EPSILON, excess, 0.0)


def _probability(question: Question, contenders: list[int], limits: Limits) -> tuple[dict[int, float], float | None]:
    """Return per contender the share of draws in which it is the best, and the share in which none fits."""
    if any(question["blocks"][question["block"][one]]["rounds"] < 2 for one in contenders):
        return {}, None
    if not contenders:
        return {}, 1.0
    keeps = np.array([_keeps(question, one, limits) for one in contenders])
    logs = np.array([_log_latency(question, one) for one in contenders], dtype=float)
    best = np.where(keeps, logs, math.inf).argmin(axis=0)
    wins = np.bincount(best[keeps.any(axis=0)], minlength=len(contenders))
    none = int(DRAWS - wins.sum())
    return {one: int(won) / DRAWS for one, won in zip(contenders, wins, strict=True)}, none / DRAWS


def _keeps(question: Question, one: int, limits: Limits) -> np.ndarray:
    """Return whether a variant keeps every limit in each draw."""
    keeps = np.ones(DRAWS, dtype=bool)
    for measure in MEASURES:
        if measure.name in limits:
            keeps &= _excess(_draws(question, one, measure.name), measure, limits[measure.name]) <= 0
    return keeps


def _draws(question: Question, one: int, name: str) -> np.ndarray:
    """Return a measure of a variant in each draw."""
    own = value(question, one, name)
    assert own is not None  # contenders are known in all that is limited
    if name in ("accuracy", "negative_flips"):
        more = _more_wrong(question, one, only_flips=name == "negative_flips")
        return np.asarray(own - more if name == "accuracy" else own + more)
    if name == "disk_bytes":
        return np.full(DRAWS, own)
    steps = np.median(_resampled(question, one, 1 if name == "p90_seconds" else 2), axis=1)
    return np.asarray(own * (1 + steps * STEP))


def _more_wrong(question: Question, one: int, only_flips: bool) -> np.ndarray:
    """Return how much larger the fraction of wrong examples (or of negative flips) is in each draw."""
    own, baseline = question["own_mistakes"][one], question["blocks"][question["block"][one]]["mistakes"]
    if own is None or (only_flips and baseline is None):
        return np.zeros(DRAWS)
    kept = question["kept"]
    wrong = unpack(question["mistakes"][own], kept)
    if only_flips and baseline is not None:
        wrong = wrong & ~unpack(question["mistakes"][baseline], kept)
    drawn: np.ndarray = drawn_examples(kept) @ wrong - int(wrong.sum())
    return drawn / kept * math.sqrt(kept / question["texts"])


def _log_latency(question: Question, one: int) -> np.ndarray:
    """Return the log of a variant's latency in each draw, in steps: whole numbers."""
    block = question["blocks"][question["block"][one]]
    logs = question["log_latency"][one] + _rounded(_resampled(question, one, 0).sum(axis=1) / block["rounds"])
    if question["paired"][one]:
        logs += _rounded(np.median(np.array(block["clock"])[_rounds_of(question, block)], axis=1))
    return logs


def _resampled(question: Question, one: int, kind: int) -> np.ndarray:
    """Return the rounds of a variant in each draw, [draws, rounds]; kind is a place in its `rounds`."""
    drawn: np.ndarray = np.array(question["rounds"][one][kind])[
        _rounds_of(question, question["blocks"][question["block"][one]])
    ]
    return drawn


def _rounds_of(question: Question, block: Block) -> np.ndarray:
    return drawn_rounds(block["rounds"], max(one["rounds"] for one in question["blocks"]))


def _rounded(values: np.ndarray) -> np.ndarray:
    """Round to the nearest whole number, halves up, as JavaScript does."""
    return np.floor(values + 0.5)


def _ties(question: Question, fitting: list[int]) -> list[int]:
    """Return the variants after the first whose latency cannot be told from the first's.

    That is where Student's t times the bootstrap's standard error of the difference reaches 0, or where the difference
    is within the noise floor: with few rounds a percentile interval would be too narrow (Hesterberg 2015).
    """
    if not fitting or any(question["blocks"][question["block"][one]]["t"] is None for one in fitting):
        return []
    first = _log_latency(question, fitting[0])
    return [
        one for one in fitting[1:] if not _told_apart(question, fitting[0], one, _log_latency(question, one) - first)
    ]


def _told_apart(question: Question, first: int, one: int, differences: np.ndarray) -> bool:
    blocks = [question["blocks"][question["block"][which]] for which in (first, one)]
    difference = question["log_latency"][one] - question["log_latency"][first]
    moved = differences - difference
    total, squares = float(moved.sum()), float((moved * moved).sum())
    error = math.sqrt((squares - total * total / DRAWS) / DRAWS)
    reach = max(block["t"] or 0.0 for block in blocks) * error
    return difference > max(reach, *(block["floor"] or 0 for block in blocks))
