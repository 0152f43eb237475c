"""The part of a report in which limits are sliders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from markupsafe import Markup

from runner.recommend.choose import CONTENDERS, EPSILON, choose
from runner.recommend.draws import DRAWS
from runner.recommend.evidence import STEP, Question, evidence
from runner.recommend.limits import MEASURES
from runner.recommend.messages import headline, latency_line, memory_line, why
from runner.report.page import template_text, templates
from runner.results.tables import Tables

_PACKAGE = "runner.report"


@dataclass(frozen=True)
class Section:
    """What a page needs of the recommendation: its element, its style and its script, which runs after the element."""

    html: Markup
    style: str
    script: str


def recommend_section(tables: Tables, max_open: int = 3) -> Section | None:
    """Return the section, None for a sweep in which nothing was measured. Every text in it is escaped.

    Args:
        max_open: questions that are answered at once; the others are folded, and answered when they are opened.
    """
    questions = [question for question in evidence(tables) if question["label"]]
    if not questions:
        return None
    html = (
        templates(_PACKAGE)
        .get_template("recommend.html")
        .render(
            data=chooser_data(questions),
            answers=[(question, _said(question)) for question in questions[:max_open]],
            folded=questions[max_open:],
            measures=MEASURES,
            latency=" ".join(filter(None, (latency_line(questions), memory_line(questions)))),
        )
    )
    script = "\n".join(template_text(_PACKAGE, name) for name in ("choose.js", "recommend.js"))
    return Section(Markup(html), template_text(_PACKAGE, "recommend.css"), script)


def _said(question: Question) -> tuple[str, list[str]]:
    """Return the answer without limits, for a page whose script does not run."""
    answer = choose(question, {})
    return headline(question, answer), why(question, answer, {}, None)


def chooser_data(questions: Sequence[Question]) -> dict[str, Any]:
    """Return what `chooser` in choose.js takes."""
    return {
        "draws": DRAWS,
        "step": STEP,
        "contenders": CONTENDERS,
        "epsilon": EPSILON,
        "measures": [asdict(measure) for measure in MEASURES],
        "questions": questions,
    }
