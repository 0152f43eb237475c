"""Writing the report of a sweep beside its tables."""

from __future__ import annotations

from pathlib import Path

from runner.artifacts import write_whole
from runner.report.html import render_html
from runner.report.markdown import render_markdown
from runner.results.tables import read_tables


def write_report(sweep: Path, refresh_seconds: int | None = None) -> Path:
    """Write report.md and report.html from a sweep's tables; return the path of the latter.

    Args:
        sweep: its folder.
        refresh_seconds: after which an open page loads itself again, for a sweep that still runs.

    Raises:
        UserError: if the sweep was not collected yet.
    """
    tables = read_tables(sweep)
    write_whole(sweep / "report.md", render_markdown(tables))
    write_whole(sweep / "report.html", render_html(tables, refresh_seconds))
    return sweep / "report.html"
