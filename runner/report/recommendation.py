"""The part of a report in which limits are sliders.

Everything that does not depend on the sliders is computed here. The page only compares figures with limits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypedDict

from markupsafe import Markup

from runner.recommend.choose import choose
from runner.recommend.decision import DecisionData, Variant, measures_with
from runner.recommend.decision_data import decision_data
from runner.recommend.limits import EPSILON, LOSS, MEASURES, Measure
from runner.recommend.margin import Loss, Margin, losses, margin_of
from runner.recommend.messages import FEW_ROUNDS, SENTENCES, headline, latency_line, memory_line, why
from runner.recommend.resamples import RESAMPLES, Resamples
from runner.report.outcomes import OutcomeEncoder, PackedOutcomes, packed_set, shortened
from runner.report.page import template_text, templates
from runner.results.format import MAX_NAMED, in_points
from runner.results.tables import Tables

_PACKAGE = "runner.report"
#: The loss of quality if undecided variants count, too; see `runner.recommend.margin`.
_ALLOWING = replace(LOSS, name="loss_allowing_undecided")


@dataclass(frozen=True)
class Section:
    """What a page needs of the recommendation: its element, its style and its script, which runs after the element."""

    html: Markup
    style: str
    script: str


class PageChoice(TypedDict):
    """What choose.js needs of one DecisionData. Lists run parallel to its variants, the fastest first.

    Attributes:
        measures: the measures that can be limited, as people read them.
        core_hours: the core-hours of a million texts, with all cores of a variant at full use.
        values: per measure; None where it is not known.
        reasons: why the quality is not certified, where it is not.
        untested: the places of the variants whose quality is not tested, the baselines among them.
        score: the name of the score.
        block: the place of the variant's block in `rounds` and `noise_floor`.
        rounds, noise_floor: per block; a noise floor that is not known is 1.
        resampled: what is resampled: rounds, or rounds and texts.
        ties: per possible winner, the slower variants that cannot be distinguished from it, as a packed set.
        outcomes: None if the page has no room for them.
    """

    measures: list[dict[str, Any]]
    label: list[str]
    latency_seconds: list[float]
    core_hours: list[float]
    values: dict[str, list[float | None]]
    reasons: list[str]
    untested: list[int]
    score: str
    block: list[int]
    rounds: list[int]
    noise_floor: list[float]
    resampled: str
    ties: dict[int, str]
    outcomes: PackedOutcomes | None


class PageData(TypedDict):
    """What choose.js and recommend.js need. `places` is the OutcomeEncoder's, and `margin` is the quality's."""

    resamples: int
    epsilon: float
    max_named: int
    few_rounds: int
    margin: float | None
    margin_text: str
    sentences: Mapping[str, str]
    measures: list[dict[str, Any]]
    choices: list[PageChoice]
    places: list[list[int]]


@dataclass(frozen=True)
class _Tested:
    """The tests of the quality that the page shows.

    Attributes:
        margin: the margin of the quality; None if nothing was tested.
        allowing: the loss of each job if undecided variants count, too.
    """

    margin: float | None
    allowing: Mapping[str, Loss]


def recommend_section(tables: Tables, max_open: int = 3) -> Section | None:
    """Return the section, None for a sweep in which nothing was measured. Every text in it is escaped.

    Args:
        tables: the tables of the sweep.
        max_open: how many choices are open. The others are folded, and are computed when they are opened.
    """
    margin = margin_of(tables.jobs)
    choices = [data for data in decision_data(tables, None if margin is None else Margin(margin)) if data.variants]
    if not choices:
        return None
    tested = _Tested(margin, {} if margin is None else losses(tables.jobs, Margin(margin, allow_undecided=True)))
    html = (
        templates(_PACKAGE)
        .get_template("recommend.html")
        .render(
            data=_page_data(choices, tested),
            open=[(data, *_without_limits(data)) for data in choices[:max_open]],
            folded=choices[max_open:],
            measures=[measure for measure in _known(choices) if not measure.only_limited],
            margin=None if margin is None else in_points(margin),
            names=(LOSS.name, _ALLOWING.name),
            resamples=RESAMPLES,
            resampled=max((data.resampled for data in choices), key=len),
            latency=" ".join(filter(None, (latency_line(choices), memory_line(choices)))),
        )
    )
    script = "\n".join(template_text(_PACKAGE, name) for name in ("choose.js", "recommend.js"))
    return Section(Markup(html), template_text(_PACKAGE, "recommend.css"), script)


def _page_data(choices: Sequence[DecisionData], tested: _Tested) -> PageData:
    """Return what the scripts of the page need; it is plain JSON."""
    encoder, known = OutcomeEncoder(), _known(choices)
    names = {measure.name for measure in known}
    return PageData(
        resamples=RESAMPLES,
        epsilon=EPSILON,
        max_named=MAX_NAMED,
        few_rounds=FEW_ROUNDS,
        margin=tested.margin,
        margin_text="" if tested.margin is None else in_points(tested.margin),
        sentences=SENTENCES,
        measures=_page_measures(known),
        choices=[_page_choice(data, names, encoder, tested) for data in choices],
        places=encoder.places,
    )


def _known(choices: Sequence[DecisionData]) -> list[Measure]:
    """Return all measures except the optional ones that no variant has."""
    names = {name for data in choices for variant in data.variants for name in variant.values}
    scores = {data.score for data in choices}
    shared = scores.pop() if len(scores) == 1 else None
    return [measure for measure in measures_with(shared) if measure.name in names or not measure.optional]


def _page_measures(measures: Iterable[Measure]) -> list[dict[str, Any]]:
    """Return measures as the scripts read them. The loss of quality is repeated for undecided variants."""
    both = [one for measure in measures for one in ((measure, _ALLOWING) if measure == LOSS else (measure,))]
    return [asdict(measure) | {"heading": measure.heading} for measure in both]


def _without_limits(data: DecisionData) -> tuple[str, list[str]]:
    """Return the choice without limits, for a page whose script does not run."""
    chosen = choose(data, {})
    return headline(data, chosen), why(data, chosen, {}, None)


def _page_choice(data: DecisionData, names: Collection[str], encoder: OutcomeEncoder, tested: _Tested) -> PageChoice:
    variants, blocks = data.variants, data.blocks
    allowing = [tested.allowing.get(variant.job, Loss(None, "")) for variant in variants]
    either_way = _either_way(data, allowing)
    resamples = Resamples(either_way)
    winners = [place for place, dominating in enumerate(resamples.dominating) if not dominating]
    values = {measure.name: [_value(variant, measure.name) for variant in variants] for measure in MEASURES}
    return PageChoice(
        measures=_page_measures(measure for measure in data.measures if measure.name in names),
        label=[variant.label for variant in variants],
        latency_seconds=[shortened(variant.latency_seconds, 9) for variant in variants],
        core_hours=[shortened(data.cost(place, core_hour=1.0), 9) for place in range(len(variants))],
        values=values | {_ALLOWING.name: [None if loss.value is None else shortened(loss.value) for loss in allowing]},
        reasons=[variant.reasons.get(LOSS.name, "") for variant in variants],
        untested=[place for place, variant in enumerate(variants) if variant.tested is None],
        score=data.score.title if data.score else "",
        block=[blocks.index(variant.block) for variant in variants],
        rounds=[block.rounds for block in blocks],
        noise_floor=[shortened(block.noise_floor or 1.0) for block in blocks],
        resampled=data.resampled,
        ties={place: packed for place in winners if (packed := packed_set(resamples.ties(place), after=place))},
        outcomes=encoder.encode(either_way, resamples),
    )


def _either_way(data: DecisionData, allowing: Sequence[Loss]) -> DecisionData:
    """Return the data with losses such that dominance holds whether undecided variants count or not."""
    variants = []
    for variant, loss in zip(data.variants, allowing, strict=True):
        is_undecided = loss.value is not None and LOSS.name not in variant.values
        own = {LOSS.name: 1 + loss.value} if is_undecided and loss.value is not None else {}
        variants.append(replace(variant, values={**variant.values, **own}))
    return replace(data, variants=variants)


def _value(variant: Variant, name: str) -> float | None:
    return shortened(variant.values[name]) if name in variant.values else None
