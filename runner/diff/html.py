"""A diff as one HTML file that needs no other file; it looks like the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from runner.diff import messages
from runner.diff.change import MEASURES, RATIO, RULE, SETTINGS, STATUS, Change
from runner.diff.charts import charts
from runner.diff.compare import Compared, Diff, exit_code
from runner.report.page import scripts, template_text, templates
from runner.results.format import UNKNOWN

MAX_JOBS = 200  # a page shows at most this many jobs that really changed, and this many others


@dataclass(frozen=True)
class Line:
    """One measure of one job, as cells of a table. `tone` is worse, better, changed, or empty for nothing real."""

    title: str
    verdict: str
    tone: str
    change: str
    interval: str
    a: str
    b: str
    basis: str  # what the verdict rests on


@dataclass(frozen=True)
class Job:
    """A job of both sweeps: every measure, and a sentence with its tone for each real change."""

    name: str
    lines: list[Line]
    sentences: list[tuple[str, str]]
    note: str


def render_html(comparison: Diff, fail_on: str) -> str:
    """Return diff.html. Every text is escaped; a content policy lets only this page's own scripts run."""
    name = messages.namer(comparison)
    changed, rest = ([job for job in comparison.compared if bool(job.real) is real] for real in (True, False))
    shown = {id(job) for job in [*changed[:MAX_JOBS], *rest[:MAX_JOBS]]}
    drawn = charts(comparison)
    measures = [measure for measure in MEASURES if any(job.change(measure.name) for job in comparison.compared)]
    return (
        templates("runner.diff")
        .get_template("diff.html")
        .render(
            a=messages.sweep_line(comparison.a),
            b=messages.sweep_line(comparison.b),
            folders=(comparison.a.folder, comparison.b.folder),
            warnings=comparison.warnings,
            conclusion=messages.conclusion(comparison, fail_on, exit_code(comparison, fail_on)),
            environment=[(difference.name, *difference.shown) for difference in comparison.environment],
            changed=[_job(name(job.pair.b), job) for job in changed[:MAX_JOBS]],
            rest=[_job(name(job.pair.b), job) for job in rest[:MAX_JOBS]],
            left_out=[_left_out(changed, "jobs that really changed"), _left_out(rest, "other jobs")],
            charts=drawn,
            measures=measures,
            overview=[
                (name(job.pair.b), [_cell(job.change(measure.name)) for measure in measures])
                for job in comparison.compared
                if id(job) in shown
            ],
            only=[("A", [*map(name, comparison.only_a)]), ("B", [*map(name, comparison.only_b)])],
            notes=messages.notes(comparison),
            rule=RULE,
            style=Markup(template_text("runner.report", "report.css") + template_text("runner.diff", "diff.css")),
            scripts=scripts([template_text("runner.report", "fold.js")], charts=bool(drawn)),
        )
    )


def _left_out(jobs: Sequence[Compared], what: str) -> str:
    """Return a sentence if there are more jobs than a page can show, else nothing."""
    return f"The first {MAX_JOBS} of {len(jobs):,} {what}; diff.parquet has all." if len(jobs) > MAX_JOBS else ""


def _job(name: str, job: Compared) -> Job:
    same = {True: "the same artifact, byte for byte", False: "another artifact", None: ""}[job.pair.same_artifact]
    return Job(
        name,
        [_line(change) for change in job.changes],
        [(messages.sentence(change), messages.tone(change)) for change in job.real],
        same,
    )


def _line(change: Change) -> Line:
    a, b = messages.figures(change)
    is_note = change.measure in (SETTINGS, STATUS)
    verdict = change.not_evaluated or ("not real" if change.size else "no change")
    if change.real:
        verdict = "changed" if messages.tone(change) == "changed" else change.direction.replace("-", " ")
    return Line(
        title=change.title,
        verdict=verdict,
        tone=messages.tone(change),
        change=change.note if is_note else messages.relative(change),
        interval=messages.interval(change),
        a=f"speedup {a}" if change.measure is RATIO else a,
        b=f"speedup {b}" if change.measure is RATIO else b,
        basis=", ".join(filter(None, [messages.basis(change), "" if is_note else change.note])),
    )


def _cell(change: Change | None) -> tuple[str, str, str]:
    """Return a change, its interval and its tone for the table of all jobs."""
    if change is None:
        return UNKNOWN, "", ""
    return messages.relative(change), messages.interval(change), messages.tone(change)
