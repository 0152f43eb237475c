"""How a job is named for people."""

from __future__ import annotations

from runner.results.format import pluralize
from runner.results.tables import Row


def group_label(row: Row) -> str:
    """Return the name of a job within its group, whose title names the family."""
    is_named_by_group = row["model"] == row["family"]
    return str(row["technique"]) if is_named_by_group else f"{row['model']} · {row['technique']}"


def job_label(row: Row) -> str:
    """Return the name of a job where its group is not named."""
    return f"{row['model']} · {row['technique']} · {conditions(row)}"


def conditions(row: Row) -> str:
    """Return the threads of a job, its CPU quota and open load if any, and its CPU where those of a cluster differ."""
    on_cpu = f", on {row['cpu']}" if row["cpu"] else ""
    return pluralize(row["threads"], "thread") + quota(row) + load(row) + on_cpu


def load(row: Row) -> str:
    """Return ', load open, 2 workers, batches of up to 8', or nothing if the load is closed."""
    if row["load"] is None:
        return ""
    workers = f", {row['workers']} workers" if (row["workers"] or 1) > 1 else ""
    batches = f", batches of up to {row['max_batch_size']}" if (row["max_batch_size"] or 1) > 1 else ""
    return f", load {row['load']}{workers}{batches}"


def quota(row: Row) -> str:
    """Return ', CPU quota 1.5', or nothing if the job's boxes have no quota."""
    return f", CPU quota {row['quota_cpus']:g}" if row["quota_cpus"] is not None else ""
