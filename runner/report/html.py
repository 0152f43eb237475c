"""The report as one HTML file that needs nothing else: styles, scripts and data are inside."""

from __future__ import annotations

import base64
import hashlib
import json

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from runner.report import accuracy, seed_study, threads, view, waterfall
from runner.report.accuracy import accuracy_detail
from runner.report.charts import latency_chart, memory_chart, scaling_chart, speedup_chart
from runner.report.examples import judgements
from runner.report.run import facts, notes
from runner.report.threads import scalings
from runner.report.trial_time import PARTS, trial_time
from runner.report.waterfall import waterfall_chart, waterfalls
from runner.results.tables import Tables


def render_html(tables: Tables) -> str:
    """Return report.html. Every text is escaped; a content policy lets only this page's own scripts run."""
    environment = Environment(
        loader=PackageLoader("runner.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    scripts = [get_plotlyjs(), _template_text(environment, "report.js")]
    groups = view.groups(tables)
    charts = [
        {
            "speedup": speedup_chart(group),
            "memory": memory_chart(group, tables),
            "latency": latency_chart(group, tables),
        }
        for group in groups
    ]
    labels = tables.manifest.get("labels") or {}
    return environment.get_template("report.html").render(
        sweep=tables.manifest["sweep"],
        facts=facts(tables),
        notes=notes(tables),
        failures=view.failures(tables),
        groups=list(zip(groups, charts, [trial_time(group, tables) for group in groups], strict=True)),
        details=[accuracy_detail(group, labels.get(group.variants[0].row["task"], [])) for group in groups],
        detail=accuracy,
        waterfalls=[(one, waterfall_chart(one)) for one in waterfalls(tables)],
        waterfall=waterfall,
        parts=PARTS,
        scalings=[(scaling, scaling_chart(scaling)) for scaling in scalings(tables)],
        scaling_explained=threads.EXPLAINED,
        judgements=judgements(tables),
        seed=seed_study,
        seed_studies=seed_study.seed_studies(tables),
        grid=json.dumps(tables.manifest.get("grid"), indent=2, ensure_ascii=False),
        style=Markup(_template_text(environment, "report.css")),
        scripts=[Markup(script) for script in scripts],
        script_hashes=[_content_policy_hash(script) for script in scripts],
    )


def _template_text(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _content_policy_hash(script: str) -> str:
    """Return how a Content-Security-Policy names an inline script: browsers hash the text between its tags."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
