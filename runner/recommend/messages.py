"""What a recommendation says, as sentences. templates/recommend.js says the same in the browser."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from runner.recommend.choose import Answer, cost, value
from runner.recommend.draws import DRAWS
from runner.recommend.evidence import STEP, Question
from runner.recommend.limits import MEASURES, Limits
from runner.results.format import UNKNOWN, milliseconds, pluralize, significant

LATENCY = (
    "Latency is the baseline's p50 ÷ the speedup; a raw time, such as p90, also depends on how fast the machine was "
    "just then."
)
_NAMED = 3  # variants that a sentence names before it counts the rest
_FEW_ROUNDS = 5


def headline(question: Question, answer: Answer) -> str:
    """Return who it is, or that nobody is."""
    if answer.winner is not None:
        return question["label"][answer.winner]
    return "No variant keeps every limit."


def why(question: Question, answer: Answer, limits: Limits, core_hour: float | None) -> list[str]:
    """Return the reason for an answer, how sure it is, who else comes near, and what it costs."""
    if answer.winner is None:
        return [_nearest(question, answer, limits), *_chance(question, answer, answer.nearest)]
    own = figures(question, answer.winner)
    said = [own[0].upper() + own[1:], _reason(question, answer, limits)]
    said += [*_chance(question, answer, answer.winner), *_ties(question, answer)]
    return said if core_hour is None else [*said, _cost(question, answer, core_hour)]


def limits_line(limits: Limits) -> str:
    """Return the limits in one line."""
    bounds = [measure.bound(limits[measure.name]) for measure in MEASURES if measure.name in limits]
    return ", ".join(bounds) or "none"


def figures(question: Question, one: int) -> str:
    """Return all that is known of a variant, as '4.31 ms, p90 7.15 ms, disk 23.0 MB, …'."""
    known = [(measure, value(question, one, measure.name)) for measure in MEASURES]
    parts = [f"{measure.title} {measure.text(own)}" for measure, own in known if own is not None]
    return ", ".join([f"latency {milliseconds(question['latency_seconds'][one])}", *parts])


def latency_line(questions: Iterable[Question]) -> str:
    """Return what latency is; empty where there are raw times only."""
    return LATENCY if any(any(question["paired"]) for question in questions) else ""


def memory_line(questions: Iterable[Question]) -> str:
    """Return what memory is, and for inputs of which length it holds; empty where none is known."""
    asked = [question for question in questions if any(question["rss_bytes"])]
    lengths = {question["longest_tokens"] for question in asked}
    if not lengths:
        return ""
    known = sorted(length for length in lengths if length is not None)
    covered = "the timed inputs" if None in lengths else f"inputs of up to {_listed([f'{n:,}' for n in known])} tokens"
    return f"Memory is the peak of resident memory, file-mapped pages included, with {covered}: longer ones need more."


def misses(question: Question, answer: Answer, one: int, limits: Limits) -> str:
    """Return which limits a variant misses and how; empty if none."""
    missed = [measure for measure in MEASURES if measure.name in answer.fails[one]]
    return ", ".join(m.miss(value(question, one, m.name), limits[m.name]) for m in missed)


def share(fraction: float | None) -> str:
    """Return a share of the draws."""
    if fraction is None:
        return UNKNOWN
    return "<1%" if 0 < fraction < 0.01 else f"{math.floor(100 * fraction + 0.5)}%"


def price(amount: float) -> str:
    """Return an amount in the currency of the price that was given."""
    return significant(amount)


def _reason(question: Question, answer: Answer, limits: Limits) -> str:
    fitting, total = len(answer.fitting), len(answer.order)
    if not limits:
        return f"The fastest of {pluralize(total, 'variant')}; no limit was given."
    who = "The only one that keeps" if fitting == 1 else f"The fastest of {fitting} that keep"
    said = f"{who} every limit, out of {pluralize(total, 'variant')}."
    faster = answer.order[: answer.order.index(answer.fitting[0])]
    named = [f"{question['label'][one]} ({misses(question, answer, one, limits)})" for one in faster]
    return f"{said} Faster, but: {_listed(named, '; ')}." if faster else said


def _chance(question: Question, answer: Answer, one: int | None) -> list[str]:
    if answer.none_fits is None:
        return ["One round says nothing of how sure that is."]
    if one is None or one not in answer.probability:
        return []
    own = share(answer.probability[one])
    if answer.winner is None:
        return [f"It keeps them all, and is the fastest, in {own} of {DRAWS:,} resamples of rounds and texts."]
    rivals = sorted((p, -other) for other, p in answer.probability.items() if other != one and p)
    parts = [f"Best in {own} of {DRAWS:,} resamples of rounds and texts"]
    parts += [f"next {question['label'][-other]}, {share(p)}" for p, other in rivals[-1:]]
    parts += [f"none fits in {share(answer.none_fits)}"] if answer.none_fits else []
    rounds = min(block["rounds"] for block in question["blocks"])
    few = f" {pluralize(rounds, 'round')}: take that as rough." if rounds < _FEW_ROUNDS else ""
    return ["; ".join(parts) + "." + few]


def _ties(question: Question, answer: Answer) -> list[str]:
    if not answer.ties or answer.winner is None:
        return []
    blocks = {question["block"][one] for one in (answer.winner, *answer.ties)}
    floor = max(question["blocks"][block]["floor"] or 0 for block in blocks)
    labels = _listed([question["label"][one] for one in answer.ties])
    return [f"As fast, as far as one can tell: {labels} (noise floor {100 * math.expm1(floor * STEP):.1f}%)."]


def _cost(question: Question, answer: Answer, core_hour: float) -> str:
    costs = {one: cost(question, one, core_hour) for one in answer.fitting}
    cheapest = min(costs, key=lambda one: costs[one])
    said = f"A million texts cost {price(costs[answer.fitting[0]])}, at {core_hour:g} per core-hour and full use"
    if cheapest == answer.winner:
        return said + ": the cheapest, too."
    return f"{said}. Cheapest that fits: {question['label'][cheapest]}, {price(costs[cheapest])}."


def _nearest(question: Question, answer: Answer, limits: Limits) -> str:
    if answer.nearest is None:
        return "No nearest miss: no variant is known in all that was limited."
    label, by = question["label"][answer.nearest], f"{100 * (answer.excess or 0):.3g}%"
    missed = misses(question, answer, answer.nearest, limits)
    return f"Nearest miss: {label} ({missed}; by {by} of the limit). It has {figures(question, answer.nearest)}."


def _listed(names: Sequence[str], separator: str = ", ") -> str:
    shown: Iterable[str] = names[:_NAMED]
    more = len(names) - _NAMED
    return separator.join(shown) + (f" and {more} more" if more > 0 else "")
