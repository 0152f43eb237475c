"""The report as one HTML file that needs nothing else: styles, scripts and data are inside."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from runner.recommend.section import recommend_section
from runner.report import accuracy, elsewhere, seed_study, threads, view, waterfall
from runner.report.accuracy import accuracy_detail
from runner.report.charts.chart import Chart
from runner.report.charts.front import front_charts
from runner.report.charts.latency import latency_chart
from runner.report.charts.memory import memory_chart
from runner.report.charts.rounds import rounds_chart
from runner.report.charts.scaling import scaling_chart
from runner.report.charts.speed import peak_chart, speedup_chart
from runner.report.examples import judgements
from runner.report.gallery import gallery
from runner.report.lineage import lineages
from runner.report.page import chart_scripts, content_policy_hash, template_text, templates
from runner.report.recordings import Recordings, recordings
from runner.report.run import facts, in_brief, notes
from runner.report.table import accuracy_table, group_table, trial_time_table
from runner.report.threads import scalings
from runner.report.trial_time import PARTS, trial_time
from runner.report.view import Group
from runner.report.waterfall import waterfall_chart, waterfalls
from runner.results.tables import Tables

_PACKAGE, _SCRIPTS = "runner.report", ("table.js", "gallery.js")
_MOST_CHARTED, _MOST_OPEN, _MOST_MATRICES = 30, 3, 24


@dataclass(frozen=True)
class _Section:
    """What the page shows of one group; tables are for the script that draws them."""

    group: Group
    open: bool
    table: dict[str, Any]
    charts: list[Chart]
    accuracy: dict[str, Any] | None
    spent: dict[str, Any] | None


def render_html(tables: Tables, refresh_seconds: int | None = None) -> str:
    """Return report.html. Every text is escaped; a content policy lets only this page's own scripts run.

    Args:
        refresh_seconds: after which an open page loads itself again, for a sweep that still runs.
    """
    scripts = [*chart_scripts(), *(template_text(_PACKAGE, name) for name in _SCRIPTS)]
    recommended = recommend_section(tables)
    if recommended:
        scripts.insert(0, recommended.script)
    groups = view.groups(tables)
    made, artifacts = lineages(tables)
    return (
        templates(_PACKAGE)
        .get_template("report.html")
        .render(
            sweep=tables.manifest["sweep"],
            refresh_seconds=refresh_seconds,
            brief=in_brief(tables),
            facts=facts(tables),
            notes=notes(tables),
            failures=view.failures_by_reason(tables),
            sections=_sections(groups, tables),
            most_open=_MOST_OPEN,
            detail=accuracy,
            waterfalls=[(one, waterfall_chart(one)) for one in waterfalls(tables)],
            waterfall=waterfall,
            parts=PARTS,
            scalings=[(scaling, scaling_chart(scaling)) for scaling in scalings(tables)],
            scaling_explained=threads.EXPLAINED,
            judgements=[(judgement, gallery(judgement)) for judgement in judgements(tables)],
            most_matrices=_MOST_MATRICES,
            seed=seed_study,
            seed_studies=seed_study.seed_studies(tables),
            elsewhere=elsewhere,
            measured_elsewhere=elsewhere.elsewhere_rows(tables),
            lineages=made,
            artifacts=artifacts,
            grid=json.dumps(tables.manifest.get("grid"), indent=2, ensure_ascii=False),
            recommended=recommended.html if recommended else "",
            style=Markup(template_text(_PACKAGE, "report.css") + (recommended.style if recommended else "")),
            scripts=[Markup(script) for script in scripts],
            script_hashes=[content_policy_hash(script) for script in scripts],
        )
    )


def _sections(groups: Sequence[Group], tables: Tables) -> list[_Section]:
    labels, recorded = tables.manifest.get("labels") or {}, recordings(tables)
    sections = []
    for number, group in enumerate(groups):
        detail = accuracy_detail(group, labels.get(group.variants[0].row["task"], []))
        spent = trial_time(group, recorded)
        sections.append(
            _Section(
                group,
                number < _MOST_OPEN,
                group_table(group),
                _charts(group, recorded) if number < _MOST_CHARTED else [],
                accuracy_table(detail) if detail else None,
                trial_time_table(spent) if spent else None,
            )
        )
    return sections


def _charts(group: Group, recorded: Recordings) -> list[Chart]:
    drawn = [
        *front_charts(group),
        speedup_chart(group),
        latency_chart(group, recorded),
        rounds_chart(group, recorded),
        memory_chart(group, recorded),
        peak_chart(group),
    ]
    return [chart for chart in drawn if chart]
