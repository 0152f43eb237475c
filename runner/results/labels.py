"""How a job is named to a person."""

from __future__ import annotations

from runner.results.format import pluralize
from runner.results.tables import Row


def group_label(row: Row) -> str:
    """Name a job within its group, whose title names the family."""
    own = row["model"] == row["family"]
    return str(row["technique"]) if own else f"{row['model']} · {row['technique']}"


def job_label(row: Row) -> str:
    """Return a job as people say it, for where its group is not named."""
    return f"{row['model']} · {row['technique']} · {conditions(row)}"


def conditions(row: Row) -> str:
    """Name the threads of a job, and its CPU where a cluster's nodes differ in it."""
    return pluralize(row["threads"], "thread") + (f", on {row['cpu']}" if row["cpu"] else "")
