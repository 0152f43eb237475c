"""Summarize the state of a running sweep in one line."""

from __future__ import annotations

from collections.abc import Sequence

from runner.results.format import pluralize, speedup, speedup_interval
from runner.results.labels import job_label
from runner.results.tables import Row, Tables


def status_line(tables: Tables) -> str:
    """Return the trials done and planned, the number of failures, and the variant that leads so far."""
    rows = tables.jobs
    planned, missing, ok = (sum(row[f"trials_{name}"] for row in rows) for name in ("planned", "missing", "ok"))
    failed = planned - missing - ok
    return f"{planned - missing} of {pluralize(planned, 'trial')}, {failed} failed; {_leader(rows)}"


def _leader(rows: Sequence[Row]) -> str:
    faster = [row for row in rows if row["job"] != row["baseline_job"] and (row["latency_ratio"] or 1) < 1]
    if not faster:
        return "no variant is ahead of its baseline so far"
    best = min([row for row in faster if row["verdict"] == "faster"] or faster, key=lambda row: row["latency_ratio"])
    interval = speedup_interval(best["latency_ratio_low"], best["latency_ratio_high"])
    how_sure = {"faster": interval, "tie": f"{interval}, a tie so far"}.get(best["verdict"], "not evaluated yet")
    return f"ahead: {job_label(best)}, {speedup(best['latency_ratio'])} ({how_sure})"
