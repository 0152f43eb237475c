"""Build pages that are one file each: templates that escape, the common style, scripts and their hashes."""

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
    """Return the templates of a package. They escape every text, and write JSON without spaces."""
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
    """Return the text of a file among a package's templates, such as report.css of runner.report."""
    loader = PackageLoader(package)
    return loader.get_source(Environment(loader=loader), name)[0]


@dataclass(frozen=True)
class Scripts:
    """The scripts of a page: their elements, and the sources that its Content-Security-Policy allows."""

    html: Markup
    policy: list[str]


def scripts(own: Sequence[str], charts: bool) -> Scripts:
    """Return a page's scripts. With charts, the scripts that draw every element with `data-figure` come first."""
    texts = [template_text("runner.report", "charts.js"), *own] if charts else list(own)
    elements = [f"<script>{text}</script>" for text in texts]
    if charts:
        elements.insert(0, f'<script type="text/plain" id="plotly">{_packed_plotly()}</script>')
        texts.append(get_plotlyjs())
    return Scripts(Markup("\n".join(elements)), [_policy_hash(text) for text in texts])


@cache
def _packed_plotly() -> str:
    """Return Plotly, gzipped and in base64: a third of its 5 MB, unpacked when a chart comes into view."""
    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode()


def _policy_hash(script: str) -> str:
    """Return the hash by which a content policy allows an inline script: that of the text between its tags."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
