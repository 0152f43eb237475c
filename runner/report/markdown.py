"""Write the report as Markdown, for pull requests: the same tables, without charts."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from runner.report import accuracy, seed_study, serving, view, waterfall
from runner.report import external as elsewhere
from runner.report.examples import EvaluatedVariant, prediction_groups, shown_text
from runner.report.recordings import ok_trials
from runner.report.run import facts, notes
from runner.report.threads import EXPLAINED as SCALING_EXPLAINED
from runner.report.threads import Scaling, scalings
from runner.report.trial_time import PARTS, TrialTime, trial_time
from runner.results.format import UNKNOWN, percent, pluralize
from runner.results.tables import Tables

_MAX_MOVED = 10  # changed predictions of a variant that are shown
_MAX_GROUPS, _MAX_ROWS = 30, 60  # and groups, and rows of a table: a pull request takes no more


def render_markdown(tables: Tables) -> str:
    """Return report.md. Every text is escaped, so that none can become markup."""
    parts = [f"# {escape(str(tables.manifest['sweep']))}", *_failures(tables)]
    groups = view.groups(tables)
    shown = groups[:_MAX_GROUPS]
    parts += [f"- **{escape(group.title)}**: {escape(group.lead)}" for group in shown] or ["This sweep has no jobs."]
    parts += [f"- {_more(len(groups) - len(shown))}"] if len(groups) > len(shown) else []
    parts += [f"> {escape(note)}" for note in notes(tables)]
    parts += ["## What was run", _table(("", ""), facts(tables))]
    for study in seed_study.seed_studies(tables):
        parts += _seed_study(study)
    for one in waterfall.waterfalls(tables):
        parts += _waterfall(one)
    labels, ok = tables.manifest.get("labels") or {}, ok_trials(tables)
    for group in shown:
        detail = accuracy.accuracy_detail(group, labels.get(group.variants[0].row["task"], []))
        parts += [*_group(group), *_accuracy_detail(detail), *_trial_time(trial_time(group, ok))]
    for scaling in scalings(tables)[:_MAX_GROUPS]:
        parts += _scaling(scaling)
    if served := serving.serving_rows(tables):
        cells = [[f"{text} {_small(note)}".rstrip() for text, note in row] for row in served]
        parts += [f"## {serving.TITLE}", escape(serving.EXPLAINED), _table(serving.COLUMNS, cells)]
    if rows := elsewhere.elsewhere_rows(tables):
        parts += [f"## {elsewhere.TITLE}", elsewhere.CAVEAT, _table(elsewhere.COLUMNS, rows)]
    for prediction_group in prediction_groups(tables)[0]:
        parts.append(f"## Predictions: {escape(prediction_group.title)}")
        for evaluated in prediction_group.evaluated:
            parts += _evaluated(evaluated)
    return "\n\n".join(_joined_lists(parts)) + "\n"


def escape(text: str) -> str:
    """Escape a text, so that Markdown and HTML show it unchanged and on one line."""
    one_line = " ".join(text.split())
    return re.sub(r"([\\`*_\[\]|~#@!])", r"\\\1", html.escape(one_line, quote=False))


def _failures(tables: Tables) -> list[str]:
    failures = view.failures(tables)
    if not failures:
        return []
    rows = [(failure.label, failure.problem, failure.reason, failure.log) for failure in failures]
    return [f"## {pluralize(len(rows), 'job')} not ok", _table(("Job", "Status", "Reason", "Log"), rows)]


def _group(group: view.Group) -> list[str]:
    rows = [
        (variant.label, _verdict(variant), *(f"{cell.text} {_small(cell.note)}" for cell in variant.cells.values()))
        for variant in group.variants
    ]
    titles = ("Variant", "Verdict", *(column.title for column in group.columns))
    return [
        f"## {escape(group.title)}",
        f"{escape(group.caption)} Speedup is baseline ÷ variant, with its 95% interval; ×0.25 is a figure ÷ the "
        f"baseline's. {escape(group.noise)}".rstrip(),
        _table(titles, rows),
        *(escape(said) for said in (group.quality, group.saturation) if said),
    ]


def _trial_time(spent: TrialTime | None) -> list[str]:
    if spent is None:
        return []
    table = _table(("Variant", *PARTS), [(label, *texts) for label, texts in spent.texts()])
    return [_folded("Where the time of a trial goes: seconds, medians over the trials", table)]


def _accuracy_detail(detail: accuracy.AccuracyDetail | None) -> list[str]:
    if detail is None:
        return []
    rows = [(label, *(f"{cell.text} {_small(cell.note)}" for cell in cells)) for label, _, cells in detail.rows]
    table = _table(("Variant", *(column.title for column in detail.columns)), rows)
    return [_folded(accuracy.TITLE, f"{escape(accuracy.EXPLAINED)}\n\n{table}")]


def _waterfall(one: waterfall.Waterfall) -> list[str]:
    titles = ("Step", *(title for measure in waterfall.MEASURES for title in (measure, "so far")))
    rows = [
        (f"{number}. {label}", *(text for f in factors for text in (f"{f.text()} {_small(f.note)}", f.total())))
        for number, (label, factors) in enumerate(one.steps, 1)
    ]
    return [
        f"## Step by step: {escape(one.title)}",
        escape(f"From {one.start}. {waterfall.EXPLAINED}"),
        _table(titles, rows),
    ]


def _scaling(scaling: Scaling) -> list[str]:
    titles = ("Variant", *(pluralize(number, "thread") for number in scaling.threads))
    rows = [(label, *(f"{cell.text} {_small(cell.note)}" for cell in cells)) for label, cells in scaling.cells()]
    return [f"## Thread scaling: {escape(scaling.title)}", SCALING_EXPLAINED, _table(titles, rows)]


def _verdict(variant: view.Variant) -> str:
    return f"{variant.verdict}; {variant.problem}" if variant.problem else variant.verdict


def _small(note: str) -> str:
    return f"({note})" if note else ""


def _seed_study(study: seed_study.SeedStudy) -> list[str]:
    titles = ("Published row", *(f"{title}: theirs / ours" for title in seed_study.COLUMNS))
    rows = [(row.name, *(f"{theirs} / {ours}" for theirs, ours in row.pairs)) for row in study.rows]
    return [
        f"## {escape(seed_study.TITLE)}",
        escape(f"{seed_study.CAVEAT} Ours: {study.threads}."),
        _table(titles, rows),
    ]


def _evaluated(evaluated: EvaluatedVariant) -> list[str]:
    if evaluated.row["job"] == evaluated.row["baseline_job"] or evaluated.row["changed_predictions"] is None:
        return []
    summary = (
        f"{evaluated.label}: {evaluated.row['changed_predictions']} of {evaluated.row['examples']} predictions changed"
    )
    if not evaluated.changed:
        return [escape(summary)]
    rows = [
        (
            shown_text(example),
            example["label"] or UNKNOWN,
            f"{example['baseline_prediction']} {percent(example['baseline_probability'])}",
            f"{example['prediction'] or UNKNOWN} {percent(example['probability'])}",
        )
        for example in evaluated.changed[:_MAX_MOVED]
    ]
    table = _table(("Text", "Label", "Baseline", "Variant"), rows)
    return [_folded(summary, table)]


def _folded(summary: str, table: str) -> str:
    return f"<details><summary>{html.escape(summary)}</summary>\n\n{table}\n\n</details>"


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    every = list(rows)
    lines = [titles, ["---"] * len(titles), *([escape(cell) for cell in row] for row in every[:_MAX_ROWS])]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return table if len(every) <= _MAX_ROWS else f"{table}\n\n{_more(len(every) - _MAX_ROWS)}"


def _more(number: int) -> str:
    return f"And {number:,} more: report.html has them."


def _joined_lists(parts: Iterable[str]) -> list[str]:
    """Put the entries of a list on consecutive lines."""
    joined: list[str] = []
    for part in parts:
        if joined and part.startswith("- ") and joined[-1].startswith("- "):
            joined[-1] += f"\n{part}"
        else:
            joined.append(part)
    return joined
