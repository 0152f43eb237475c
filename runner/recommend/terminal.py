"""A recommendation on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from runner.recommend import messages
from runner.recommend.choose import Answer, cost, value
from runner.recommend.evidence import Question
from runner.recommend.limits import MEASURES, Limits
from runner.results.format import UNKNOWN, milliseconds, pluralize

_NARROW_WIDTH = 120  # columns of the terminal below which the narrow set is shown
_MAX_ROWS = 30  # variants; a sweep may have thousands
_STYLES = {"winner": "bold green", "fits": "", "fails": "bright_black"}


def print_answer(question: Question, answer: Answer, limits: Limits, core_hour: float | None, console: Console) -> None:
    """Print the answer to one question: who, why, how sure, and what each other variant fails on."""
    console.print(_text(f"{question['title']}, isolation {question['isolation']}", "bold"))
    if not answer.order:
        console.print(_text("Nothing was measured: there is nothing to choose from.", "red"))
    else:
        console.print(_text(f"Limits: {messages.limits_line(limits)}"))
        found = answer.winner is not None
        console.print(_text(f"→ {messages.headline(question, answer)}", "bold green" if found else "bold red"))
        for sentence in messages.why(question, answer, limits, core_hour):
            console.print(Padding(_text(sentence), (0, 0, 0, 2)))
        console.print(_table(question, answer, limits, core_hour, console.width >= _NARROW_WIDTH))
        lines = (messages.latency_line([question]), messages.memory_line([question]), question["saturation"])
        for said in filter(None, lines):
            console.print(_text(said))
    hidden = len(answer.order) - _MAX_ROWS
    if hidden > 0:
        console.print(_text(f"… and {pluralize(hidden, 'slower or failing variant')} more."))
    for label, problem in question["failed"][:_MAX_ROWS]:
        console.print(_text(f"Left out: {label}, {problem}.", "red"))


def _table(question: Question, answer: Answer, limits: Limits, core_hour: float | None, wide: bool) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("Variant", overflow="fold")
    shown = [measure for measure in MEASURES if wide]
    costs = ["Per million"] if core_hour is not None else []
    for title in ("Latency", *(measure.title.capitalize() for measure in shown), *costs, "Best in"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("Fails on", overflow="fold")
    first = [*answer.fitting, *(one for one in answer.order if answer.fails[one])]
    for one in first[:_MAX_ROWS]:
        values = [(measure, value(question, one, measure.name)) for measure in shown]
        cells = [question["label"][one], milliseconds(question["latency_seconds"][one])]
        cells += [UNKNOWN if own is None else measure.text(own) for measure, own in values]
        cells += [messages.price(cost(question, one, core_hour))] if core_hour is not None else []
        cells += [messages.share(answer.probability.get(one)), messages.misses(question, answer, one, limits)]
        style = _STYLES["winner" if one == answer.winner else "fails" if answer.fails[one] else "fits"]
        table.add_row(*(_text(cell, style) for cell in cells))
    return table


def _text(text: str, style: str = "") -> Text:
    """Neither markup nor control characters in a name reach the terminal."""
    return Text("".join(c if c.isprintable() else " " for c in text), style)
