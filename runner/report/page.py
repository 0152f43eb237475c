"""What a page that is one file by itself needs: templates that escape, the house's style, scripts and their hashes."""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
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


@dataclass(frozen=True)
class Scripts:
    """The scripts of a page: their elements, and how its Content-Security-Policy names each text that may run."""

    html: Markup
    policy: list[str]


def scripts(own: Sequence[str], charts: bool) -> Scripts:
    """Return a page's own scripts; with charts, those that draw every element with a `data-figure` come first."""
    texts = [template_text("runner.report", "charts.js"), *own] if charts else list(own)
    elements = [f"<script>{text}</script>" for text in texts]
    if charts:
        elements.insert(0, f'<script type="text/plain" id="plotly">{_packed_plotly()}</script>')
        texts.append(get_plotlyjs())
    return Scripts(Markup("\n".join(elements)), [_policy_hash(text) for text in texts])


@cache
def _packed_plotly() -> str:
    """Return Plotly, gzipped, in base64: a third of its 5 MB, and nothing to read before a chart is near the window."""
    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode()


def _policy_hash(script: str) -> str:
    """Return how a policy names an inline script: browsers hash the text between its tags."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
