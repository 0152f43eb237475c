"""The sentences of a recommendation. A report's page fills the same templates in when a slider moves."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from runner.recommend.choose import Recommendation
from runner.recommend.decision import Block, DecisionData
from runner.recommend.limits import Limits
from runner.recommend.resamples import RESAMPLES
from runner.results.format import UNKNOWN, in_points, listed, milliseconds, pluralize, significant

LATENCY: Final = (
    "Latency, p90, p95 and p99 are the baseline's figures × the ratio to it. The baseline's figures depend on how fast "
    "the machine was at that time"
)
FEW_ROUNDS: Final = 5
_MAX_BASELINES: Final = 3
SENTENCES: Final = {
    "none fits": "No variant keeps every limit.",
    "no nearest": "There is no nearest miss: every variant lacks a value for at least one of the limits.",
    "nearest": "Nearest miss: {label} ({misses}; by {excess} of the limit). It has {figures}.",
    "no limit": "The fastest of {variants}; no limit was given.",
    "only one": "The only one that keeps every limit, out of {variants}.",
    "fastest": "The fastest of {fitting} that keep every limit, out of {variants}.",
    "certified": "Quality certified: it loses less than {margin} of {score} (95%).",
    "not certified": "Quality not certified: {reason}.",
    "faster": "Faster, but: {faster}.",
    "one round": "One round does not show how sure that is.",
    "too large": "The report is too large to show how sure that is; the command `pinbox recommend` shows it.",
    "nearest share": "It keeps them all, and is the fastest, in {share} of {resamples} resamples of {resampled}.",
    "best share": "Best in {share} of {resamples} resamples of {resampled}{others}.",
    "next": "; next {label}, {share}",
    "none share": "; none fits in {share}",
    "few rounds": "With {rounds}, that is a rough figure.",
    "ties": "Not distinguishable in latency: {ties} (noise floor {floor}%).",
    "cost": "A million texts cost {cost}, at {price} per core-hour and full use{cheapest}.",
    "is cheapest": ". It is also the cheapest that fits",
    "cheaper": ". Cheapest that fits: {label}, {cost}",
}


def headline(data: DecisionData, chosen: Recommendation) -> str:
    """Return the name of the winner, or that there is none."""
    return SENTENCES["none fits"] if chosen.winner is None else data.variants[chosen.winner].label


def why(data: DecisionData, chosen: Recommendation, limits: Limits, core_hour: float | None) -> list[str]:
    """Return the reason for a choice, how sure it is, which others come near, and what it costs."""
    if chosen.winner is None:
        return [_nearest(data, chosen, limits), *_nearest_share(data, chosen)]
    own = figures(data, chosen.winner, limits)
    sentences = [own[0].upper() + own[1:], *_quality(data, chosen.winner), _reason(data, chosen, limits)]
    sentences += [_best_share(data, chosen, chosen.winner), *_ties(data, chosen, chosen.winner)]
    return sentences if core_hour is None else [*sentences, _cost(data, chosen, chosen.winner, core_hour)]


def limits_line(data: DecisionData, limits: Limits) -> str:
    """Return the limits in one line."""
    bounds = [measure.bound(limits[measure.name]) for measure in data.measures if measure.name in limits]
    return ", ".join(bounds) or "none"


def figures(data: DecisionData, place: int, limits: Limits) -> str:
    """Return the known figures of a variant, as 'latency 4.31 ms, p90 7.15 ms, disk 23.0 MB, …'."""
    variant = data.variants[place]
    told = [measure for measure in data.measures if measure.name in limits or not measure.only_limited]
    known = [measure for measure in told if measure.name in variant.values]
    parts = [f"{measure.title} {measure.text(variant.values[measure.name])}" for measure in known]
    return ", ".join([f"latency {milliseconds(variant.latency_seconds)}", *parts])


def latency_line(choices: Iterable[DecisionData]) -> str:
    """Explain the latency, with the figures of up to three baselines; empty where there are only raw times."""
    choices = [*choices]
    if not any(variant.paired for data in choices for variant in data.variants):
        return ""
    blocks = [block for data in choices for block in data.blocks if block.baseline_seconds]
    baselines = [f"{block.baseline}: {_latencies(block)}" for block in blocks]
    shown = f" ({'; '.join(baselines)})" if 0 < len(baselines) <= _MAX_BASELINES else ""
    return f"{LATENCY}{shown}."


def _latencies(block: Block) -> str:
    return ", ".join(f"{name} {milliseconds(seconds)}" for name, seconds in block.baseline_seconds.items())


def memory_line(choices: Iterable[DecisionData]) -> str:
    """Explain the memory, with the length of the inputs that it covers; empty where it is not known."""
    known = [data for data in choices if any("rss_bytes" in variant.values for variant in data.variants)]
    lengths = {data.longest_tokens for data in known}
    if not lengths:
        return ""
    tokens = listed([f"{length:,}" for length in sorted(length for length in lengths if length is not None)])
    covered = "the timed inputs" if None in lengths else f"inputs of up to {tokens} tokens"
    return f"Memory is the peak of resident memory, file-mapped pages included, with {covered}; longer ones need more."


def misses(data: DecisionData, chosen: Recommendation, place: int, limits: Limits) -> str:
    """Return which limits a variant misses and how; empty if it misses none."""
    missed = [measure for measure in data.measures if measure.name in chosen.fails[place]]
    values, reasons = data.variants[place].values, data.variants[place].reasons
    misses = (measure.miss(values.get(measure.name), limits[measure.name]) for measure in missed)
    return ", ".join(reasons.get(measure.name) or miss for measure, miss in zip(missed, misses, strict=True))


def share(fraction: float | None) -> str:
    """Return a share of the resamples as a percentage."""
    if fraction is None:
        return UNKNOWN
    return "<1%" if 0 < fraction < 0.01 else f"{math.floor(100 * fraction + 0.5)}%"


def price(amount: float) -> str:
    """Return an amount in the currency of the price that was given."""
    return significant(amount)


def _quality(data: DecisionData, place: int) -> list[str]:
    """Return whether the quality of a variant is certified; nothing for a baseline and where it is not known."""
    tested = data.variants[place].tested
    if tested is None or data.margin is None or data.score is None:
        return []
    if tested.value is None:
        return [SENTENCES["not certified"].format(reason=tested.reason)]
    return [SENTENCES["certified"].format(margin=in_points(data.margin), score=data.score.title)]


def _reason(data: DecisionData, chosen: Recommendation, limits: Limits) -> str:
    variants, fitting = pluralize(len(data.variants), "variant"), chosen.fitting
    if not limits:
        return SENTENCES["no limit"].format(variants=variants)
    reason = SENTENCES["only one" if len(fitting) == 1 else "fastest"].format(fitting=len(fitting), variants=variants)
    faster = [f"{data.variants[place].label} ({misses(data, chosen, place, limits)})" for place in range(fitting[0])]
    return f"{reason} {SENTENCES['faster'].format(faster=listed(faster, '; '))}" if faster else reason


def _best_share(data: DecisionData, chosen: Recommendation, winner: int) -> str:
    if chosen.none_fits is None:
        return SENTENCES["one round"]
    rivals = [(won, -place) for place, won in chosen.shares.items() if place != winner and won]
    others = ""
    if rivals:
        won, place = max(rivals)
        others += SENTENCES["next"].format(label=data.variants[-place].label, share=share(won))
    if chosen.none_fits:
        others += SENTENCES["none share"].format(share=share(chosen.none_fits))
    best = SENTENCES["best share"].format(
        share=share(chosen.shares[winner]), resamples=f"{RESAMPLES:,}", resampled=data.resampled, others=others
    )
    rounds = min(block.rounds for block in data.blocks)
    few = SENTENCES["few rounds"].format(rounds=pluralize(rounds, "round"))
    return f"{best} {few}" if rounds < FEW_ROUNDS else best


def _nearest(data: DecisionData, chosen: Recommendation, limits: Limits) -> str:
    if chosen.nearest is None:
        return SENTENCES["no nearest"]
    return SENTENCES["nearest"].format(
        label=data.variants[chosen.nearest].label,
        misses=misses(data, chosen, chosen.nearest, limits),
        excess=f"{float(f'{100 * (chosen.excess or 0):.3g}'):.15g}%",
        figures=figures(data, chosen.nearest, limits),
    )


def _nearest_share(data: DecisionData, chosen: Recommendation) -> list[str]:
    if chosen.none_fits is None:
        return [SENTENCES["one round"]]
    if chosen.nearest not in chosen.shares:
        return []
    own = share(chosen.shares[chosen.nearest])
    return [SENTENCES["nearest share"].format(share=own, resamples=f"{RESAMPLES:,}", resampled=data.resampled)]


def _ties(data: DecisionData, chosen: Recommendation, winner: int) -> list[str]:
    if not chosen.ties:
        return []
    floor = max(data.variants[place].block.noise_floor or 1.0 for place in (winner, *chosen.ties))
    labels = listed([data.variants[place].label for place in chosen.ties])
    return [SENTENCES["ties"].format(ties=labels, floor=f"{100 * (floor - 1):.1f}")]


def _cost(data: DecisionData, chosen: Recommendation, winner: int, core_hour: float) -> str:
    costs = {place: data.cost(place, core_hour) for place in chosen.fitting}
    cheapest = min(costs, key=lambda place: costs[place])
    note = SENTENCES["is cheapest" if cheapest == winner else "cheaper"].format(
        label=data.variants[cheapest].label, cost=price(costs[cheapest])
    )
    return SENTENCES["cost"].format(cost=price(costs[winner]), price=f"{core_hour:g}", cheapest=note)
