"""A diff as Markdown, for pull requests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runner.diff import messages
from runner.diff.change import ACCURACY, DISK, FIRST_CALL, LATENCY, LOAD, MEMORY, PREDICTIONS, RATIO, RULE
from runner.diff.compare import Diff, exit_code
from runner.report.markdown import escape

_COLUMNS = (RATIO, LATENCY, MEMORY, DISK, LOAD, FIRST_CALL, ACCURACY, PREDICTIONS)


def render_markdown(found: Diff, fail_on: str) -> str:
    """Return diff.md. Every text is escaped, so that none can become markup."""
    parts = [f"> **{escape(warning)}**" for warning in found.warnings]
    parts += [
        "# Diff",
        f"**{escape(messages.conclusion(found, fail_on, exit_code(found, fail_on)))}**",
        f"- A: {escape(messages.sweep_line(found.a))}\n- B: {escape(messages.sweep_line(found.b))}",
        *_environment(found),
        *_real(found),
        *_jobs(found),
    ]
    name = messages.namer(found)
    for side, jobs in (("A", found.only_a), ("B", found.only_b)):
        if jobs:
            parts += [f"## Only in {side}", _list(map(name, jobs))]
    notes = messages.notes(found)
    parts += ["## Notes", _list(notes)] if notes else []
    return "\n\n".join([*parts, escape(RULE)]) + "\n"


def _environment(found: Diff) -> list[str]:
    if not found.environment:
        return ["Environment: nothing differs."]
    return ["## Environment", _table(("Differs", "A", "B"), ((one.name, *one.shown) for one in found.environment))]


def _real(found: Diff) -> list[str]:
    name = messages.namer(found)
    lines = [
        f"- **{escape(name(one.pair.b))}**: " + "; ".join(escape(messages.sentence(change)) for change in one.real)
        for one in found.real
    ]
    return ["## Really different", "\n".join(lines)] if lines else []


def _jobs(found: Diff) -> list[str]:
    if not found.compared:
        return []
    name = messages.namer(found)
    rows = [
        (name(one.pair.b), *(messages.cell(one.change(measure.name), with_interval=True) for measure in _COLUMNS))
        for one in found.compared
    ]
    return ["## B against A, with 95% intervals", _table(("Job", *(measure.title for measure in _COLUMNS)), rows)]


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {escape(line)}" for line in lines)


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *([escape(text) for text in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
