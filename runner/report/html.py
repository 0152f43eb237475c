"""Write the report as one HTML file that contains its styles, scripts and data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from runner.report import accuracy, seed_study, serving, threads, view, waterfall
from runner.report import external as elsewhere
from runner.report.accuracy import accuracy_detail
from runner.report.charts.chart import Chart
from runner.report.charts.front import front_charts
from runner.report.charts.latency import latency_chart
from runner.report.charts.load import load_chart
from runner.report.charts.memory import memory_chart
from runner.report.charts.rounds import rounds_chart
from runner.report.charts.scaling import scaling_chart
from runner.report.charts.speed import peak_chart, speedup_chart
from runner.report.columns import QUALITY
from runner.report.examples import prediction_groups
from runner.report.gallery import gallery, matrices
from runner.report.lineage import lineages
from runner.report.page import scripts, template_text, templates
from runner.report.recommendation import recommend_section
from runner.report.recordings import Recordings, recordings
from runner.report.run import facts, in_brief, notes
from runner.report.table import accuracy_table, group_table, scaling_table, trial_time_table
from runner.report.threads import scalings
from runner.report.trial_time import PARTS, trial_time
from runner.report.view import Group
from runner.report.waterfall import waterfall_chart, waterfalls
from runner.results.format import UNKNOWN
from runner.results.tables import Tables

_PACKAGE, _SCRIPTS = "runner.report", ("fold.js", "table.js", "gallery.js")
_MAX_CHARTED, _MAX_OPEN = 30, 3  # groups
#: The columns of the answer: those that a phone has no room for are wide, those without small print bare.
_ANSWERED = {
    "Latency p50": "wide bare",
    "Speedup": "",
    "Accuracy": "",
    QUALITY: "bare",
    "Disk": "",
    "Memory peak": "wide",
}


@dataclass(frozen=True)
class _Section:
    """What the page shows of one group. A script draws the tables.

    Attributes:
        answered: the columns of its answers that have a value, each with its CSS class.
    """

    group: Group
    answered: dict[str, str]
    open: bool
    table: dict[str, Any]
    charts: list[Chart]
    accuracy: dict[str, Any] | None
    spent: dict[str, Any] | None


def render_html(tables: Tables, refresh_seconds: int | None = None) -> str:
    """Return report.html. Every text is escaped, and a content policy lets only the page's own scripts run.

    Args:
        refresh_seconds: how often an open page loads itself again while the sweep runs; None for never.
    """
    recommended = recommend_section(tables, _MAX_OPEN)
    own = [recommended.script] if recommended else []
    groups, known = view.groups(tables), facts(tables)
    failures = view.failures_by_reason(tables)
    made, artifacts = lineages(tables)
    evaluated, evaluated_in_all = prediction_groups(tables)
    return (
        templates(_PACKAGE)
        .get_template("report.html")
        .render(
            sweep=tables.manifest["sweep"],
            refresh_seconds=refresh_seconds,
            brief=in_brief(known),
            facts=known,
            notes=notes(tables),
            failures=failures,
            failed=sum(map(len, failures.values())),
            sections=_sections(groups, tables),
            max_open=_MAX_OPEN,
            max_charted=_MAX_CHARTED,
            detail=accuracy,
            waterfalls=[(one, waterfall_chart(one)) for one in waterfalls(tables)],
            waterfall=waterfall,
            parts=PARTS,
            scalings=[(one, scaling_table(one), scaling_chart(one)) for one in scalings(tables)],
            scaling_explained=threads.EXPLAINED,
            prediction_groups=[
                (prediction_group, gallery(prediction_group), matrices(prediction_group))
                for prediction_group in evaluated
            ],
            evaluated_in_all=evaluated_in_all,
            seed=seed_study,
            seed_studies=seed_study.seed_studies(tables),
            serving=serving,
            served=serving.serving_rows(tables),
            elsewhere=elsewhere,
            measured_elsewhere=elsewhere.elsewhere_rows(tables),
            lineages=made,
            artifacts=artifacts,
            grid=json.dumps(tables.manifest.get("grid"), indent=2, ensure_ascii=False),
            recommended=recommended.html if recommended else "",
            style=Markup(template_text(_PACKAGE, "report.css") + (recommended.style if recommended else "")),
            scripts=scripts([*own, *(template_text(_PACKAGE, name) for name in _SCRIPTS)], charts=True),
        )
    )


def _sections(groups: Sequence[Group], tables: Tables) -> list[_Section]:
    labels, recorded = tables.manifest.get("labels") or {}, recordings(tables, groups[:_MAX_CHARTED])
    sections = []
    for number, group in enumerate(groups):
        detail = accuracy_detail(group, labels.get(group.variants[0].row["task"], []))
        spent = trial_time(group, recorded.trials)
        sections.append(
            _Section(
                group,
                _answered(group),
                number < _MAX_OPEN,
                group_table(group),
                _charts(group, recorded) if number < _MAX_CHARTED else [],
                accuracy_table(detail) if detail else None,
                trial_time_table(spent) if spent else None,
            )
        )
    return sections


def _answered(group: Group) -> dict[str, str]:
    cells = [variant.cells for _, variant in group.answers]
    known = {title for own in cells for title, cell in own.items() if cell.text != UNKNOWN}
    return {title: style for title, style in _ANSWERED.items() if title in known}


def _charts(group: Group, recorded: Recordings) -> list[Chart]:
    drawn = [
        *front_charts(group),
        speedup_chart(group),
        latency_chart(group, recorded),
        load_chart(group, recorded),
        rounds_chart(group, recorded),
        memory_chart(group, recorded),
        peak_chart(group),
    ]
    return [chart for chart in drawn if chart]
