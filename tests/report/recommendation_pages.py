"""A page with nothing but the section of a sweep's recommendation, under the report's style and content policy."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import runner.report
from runner.report.recommendation import recommend_section
from runner.results.tables import Tables


def write_page(tables: Tables, path: Path) -> Path:
    """Write the page as a report would hold it, and return its path."""
    section = recommend_section(tables)
    assert section is not None
    script = base64.b64encode(hashlib.sha256(section.script.encode()).digest()).decode()
    css = (Path(runner.report.__file__).parent / "templates" / "report.css").read_text()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{script}'"
    path.write_text(
        f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}"><meta name="viewport" content="width=device-width">
<style>{css}{section.style}</style></head><body><main>{section.html}</main>
<script>{section.script}</script></body></html>"""
    )
    return path
