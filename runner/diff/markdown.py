"""A diff as Markdown, for pull requests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runner.diff import messages
from runner.diff.change import (
    CAPACITY,
    CAPACITY_RATIO,
    DISK,
    FIRST_CALL,
    LATENCY,
    LOAD,
    MEMORY,
    PREDICTIONS,
    RATIO,
    RULE,
    SCORE,
)
from runner.diff.compare import Diff, exit_code
from runner.report.markdown import escape

_COLUMNS = (
    *(RATIO, LATENCY, CAPACITY_RATIO, CAPACITY, MEMORY, DISK, LOAD, FIRST_CALL),
    *(SCORE, PREDICTIONS),
)


def render_markdown(comparison: Diff, fail_on: str) -> str:
    """Return diff.md. Every text is escaped, so that none can become markup."""
    parts = [f"> **{escape(warning)}**" for warning in comparison.warnings]
    parts += [
        "# Diff",
        f"**{escape(messages.conclusion(comparison, fail_on, exit_code(comparison, fail_on)))}**",
        f"- A: {escape(messages.sweep_line(comparison.a))}\n- B: {escape(messages.sweep_line(comparison.b))}",
        *_environment(comparison),
        *_real(comparison),
        *_jobs(comparison),
    ]
    name = messages.namer(comparison)
    for side, jobs in (("A", comparison.only_a), ("B", comparison.only_b)):
        if jobs:
            parts += [f"## Only in {side}", _list(map(name, jobs))]
    notes = messages.notes(comparison)
    parts += ["## Notes", _list(notes)] if notes else []
    return "\n\n".join([*parts, escape(RULE)]) + "\n"


def _environment(comparison: Diff) -> list[str]:
    if not comparison.environment:
        return ["Environment: nothing differs."]
    return [
        "## Environment",
        _table(("Differs", "A", "B"), ((difference.name, *difference.shown) for difference in comparison.environment)),
    ]


def _real(comparison: Diff) -> list[str]:
    name = messages.namer(comparison)
    lines = [
        f"- **{escape(name(job.pair.b))}**: " + "; ".join(escape(messages.sentence(change)) for change in job.real)
        for job in comparison.real
    ]
    return ["## Really different", "\n".join(lines)] if lines else []


def _jobs(comparison: Diff) -> list[str]:
    if not comparison.compared:
        return []
    name, measures = messages.namer(comparison), messages.shown(_COLUMNS, comparison)
    rows = [
        (name(job.pair.b), *(messages.cell(job.change(measure.name), with_interval=True) for measure in measures))
        for job in comparison.compared
    ]
    return ["## B against A, with 95% intervals", _table(("Job", *(measure.title for measure in measures)), rows)]


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {escape(line)}" for line in lines)


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *([escape(text) for text in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
