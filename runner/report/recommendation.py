"""The part of a report in which limits are sliders.

Everything that does not depend on the sliders is computed here. The page only compares figures with limits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypedDict

from markupsafe import Markup

from runner.recommend.choose import choose
from runner.recommend.decision_data import DecisionData, Variant, decision_data
from runner.recommend.limits import EPSILON, MEASURES, Measure
from runner.recommend.messages import FEW_ROUNDS, SENTENCES, headline, latency_line, memory_line, why
from runner.recommend.resamples import RESAMPLES, Resamples
from runner.report.outcomes import OutcomeEncoder, PackedOutcomes, packed_set, shortened
from runner.report.page import template_text, templates
from runner.results.format import MAX_NAMED
from runner.results.tables import Tables

_PACKAGE = "runner.report"


@dataclass(frozen=True)
class Section:
    """What a page needs of the recommendation: its element, its style and its script, which runs after the element."""

    html: Markup
    style: str
    script: str


class PageChoice(TypedDict):
    """What choose.js needs of one DecisionData. Lists run parallel to its variants, the fastest first.

    Attributes:
        core_hours: what a million texts take: all cores of a variant at full use.
        values: per measure; None where it is not known.
        block: the place of the variant's block in `rounds` and `noise_floor`.
        rounds, noise_floor: per block; a noise floor that is not known is 1.
        ties: per possible winner, the slower variants that cannot be distinguished from it, as a packed set.
        outcomes: None if the page has no room for them.
    """

    label: list[str]
    latency_seconds: list[float]
    core_hours: list[float]
    values: dict[str, list[float | None]]
    block: list[int]
    rounds: list[int]
    noise_floor: list[float]
    ties: dict[int, str]
    outcomes: PackedOutcomes | None


class PageData(TypedDict):
    """What choose.js and recommend.js need. `places` is that of the OutcomeEncoder."""

    resamples: int
    epsilon: float
    max_named: int
    few_rounds: int
    sentences: Mapping[str, str]
    measures: list[dict[str, Any]]
    choices: list[PageChoice]
    places: list[list[int]]


def recommend_section(tables: Tables, max_open: int = 3) -> Section | None:
    """Return the section, None for a sweep in which nothing was measured. Every text in it is escaped.

    Args:
        max_open: how many choices are open. The others are folded, and are made when they are opened.
    """
    choices = [data for data in decision_data(tables) if data.variants]
    if not choices:
        return None
    html = (
        templates(_PACKAGE)
        .get_template("recommend.html")
        .render(
            data=page_data(choices),
            open=[(data, *_without_limits(data)) for data in choices[:max_open]],
            folded=choices[max_open:],
            measures=_known(choices),
            resamples=RESAMPLES,
            latency=" ".join(filter(None, (latency_line(choices), memory_line(choices)))),
        )
    )
    script = "\n".join(template_text(_PACKAGE, name) for name in ("choose.js", "recommend.js"))
    return Section(Markup(html), template_text(_PACKAGE, "recommend.css"), script)


def page_data(choices: Sequence[DecisionData]) -> PageData:
    """Return what the scripts of the page need; it is plain JSON."""
    encoder = OutcomeEncoder()
    return PageData(
        resamples=RESAMPLES,
        epsilon=EPSILON,
        max_named=MAX_NAMED,
        few_rounds=FEW_ROUNDS,
        sentences=SENTENCES,
        measures=[asdict(measure) for measure in _known(choices)],
        choices=[_page_choice(data, encoder) for data in choices],
        places=encoder.places,
    )


def _known(choices: Sequence[DecisionData]) -> list[Measure]:
    """Return all measures without the optional ones that no variant has."""
    names = {name for data in choices for variant in data.variants for name in variant.values}
    return [measure for measure in MEASURES if measure.name in names or not measure.optional]


def _without_limits(data: DecisionData) -> tuple[str, list[str]]:
    """Return the choice without limits, for a page whose script does not run."""
    chosen = choose(data, {})
    return headline(data, chosen), why(data, chosen, {}, None)


def _page_choice(data: DecisionData, encoder: OutcomeEncoder) -> PageChoice:
    variants, blocks, resamples = data.variants, data.blocks, Resamples(data)
    winners = [place for place, dominating in enumerate(resamples.dominating) if not dominating]
    return PageChoice(
        label=[variant.label for variant in variants],
        latency_seconds=[shortened(variant.latency_seconds, 9) for variant in variants],
        core_hours=[shortened(data.cost(place, core_hour=1.0), 9) for place in range(len(variants))],
        values={measure.name: [_value(variant, measure.name) for variant in variants] for measure in MEASURES},
        block=[blocks.index(variant.block) for variant in variants],
        rounds=[block.rounds for block in blocks],
        noise_floor=[shortened(block.noise_floor or 1.0) for block in blocks],
        ties={place: packed for place in winners if (packed := packed_set(resamples.ties(place), after=place))},
        outcomes=encoder.encode(data, resamples),
    )


def _value(variant: Variant, name: str) -> float | None:
    return shortened(variant.values[name]) if name in variant.values else None
