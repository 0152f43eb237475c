"""What a page that is one file by itself needs: templates that escape, the house's style, scripts and their hashes."""

from __future__ import annotations

import base64
import hashlib

from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs


def templates(package: str) -> Environment:
    """Return the templates of a package; every text that they are given is escaped, and JSON comes without spaces."""
    environment = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    return environment


def template_text(package: str, name: str) -> str:
    """Return a file of a package's templates as it is, such as the style of all pages, runner.report's report.css."""
    loader = PackageLoader(package)
    return loader.get_source(Environment(loader=loader), name)[0]


def chart_scripts() -> list[str]:
    """Return Plotly, and the script that draws every element with a `data-figure` in the colours of the page.

    Plotly is the body of a function, `loadPlotly`: to run its 5 MB takes as long as all else of a page together, so the
    first chart that comes near the window does.
    """
    return [f"function loadPlotly() {{\n{get_plotlyjs()}\n}}", template_text("runner.report", "charts.js")]


def content_policy_hash(script: str) -> str:
    """Return how a Content-Security-Policy names an inline script: browsers hash the text between its tags."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
