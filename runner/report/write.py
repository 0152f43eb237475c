"""Write the report of a sweep beside its tables."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.report.html import render_html
from runner.report.markdown import render_markdown
from runner.results.collect import collect
from runner.results.tables import Tables, read_tables
from runner.store.artifacts import atomic_write

_REFRESH = re.compile(r'\n<meta http-equiv="refresh" content="\d+">')


def write_report(sweep: Path, refresh_seconds: int | None = None) -> Path:
    """Write report.md and report.html from a sweep's tables, and return the path of report.html.

    Args:
        sweep: the sweep's folder.
        refresh_seconds: how often an open page loads itself again while the sweep runs; None for never.

    Raises:
        UserError: if the sweep was not collected yet.
    """
    tables = read_tables(sweep)
    atomic_write(sweep / "report.md", render_markdown(tables))
    atomic_write(sweep / "report.html", render_html(tables, refresh_seconds))
    return sweep / "report.html"


def collect_and_report(sweep: Path, refresh_seconds: int | None = None) -> Tables:
    """Collect a sweep and write its report. One process does so at a time, so the last writer has read the most.

    Raises:
        UserError: if there is no readable plan.
    """
    with _alone(sweep):
        tables = collect(sweep)
        write_report(sweep, refresh_seconds)
    return tables


def stop_refreshing(sweep: Path) -> None:
    """Let an open page of the report load itself a last time."""
    path = sweep / "report.html"
    if path.exists():
        with _alone(sweep):
            atomic_write(path, _REFRESH.sub("", path.read_text(encoding="utf-8"), count=1))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock of the folder's tables and report; wait for another process that holds it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:
            pass  # a network folder without such locks: each file is still written whole
        yield
    finally:
        os.close(handle)
