"""Find the waterfalls that `grid.waterfall` declares: rows of jobs, each of which changes the one before it."""

from __future__ import annotations

from typing import Any

from runner.errors import UserError
from runner.sweep.jobs import Job, matches

_PARTS = ("model", "technique", "task", "workload", "threads", "isolation", "load")


def find_waterfalls(jobs: list[Job], rows: list[dict[str, Any]]) -> list[list[str]]:
    """Return the keys of the jobs of each waterfall.

    Each job that the first row matches starts a waterfall. So a first row `{model: a, technique: b}` in a grid with one
    and with two threads starts two waterfalls. A row names the keys that it changes, as a rule of `grid.exclude` does.
    All other settings are those of the previous row. A waterfall is left out if the grid lacks one of its jobs.

    Args:
        jobs: the jobs of the grid.
        rows: the rows of `grid.waterfall`.

    Raises:
        UserError: if no waterfall is complete, or if a row matches several jobs. The message names the row.
    """
    waterfalls: list[list[Job]] = [[]]
    for number, row in enumerate(rows):
        where = f"grid.waterfall[{number}]"
        longer = [[*chain, job] for chain in waterfalls for job in _following(chain, row, jobs, where)]
        if not longer:
            raise UserError(
                f"{where}: no job of the grid has {_text(row)}{_other_settings(waterfalls[0])}. Add it to grid.union."
            )
        waterfalls = longer
    return [[job.key for job in chain] for chain in waterfalls if chain]


def _following(chain: list[Job], row: dict[str, Any], jobs: list[Job], where: str) -> list[Job]:
    matching = [job for job in jobs if all(matches(job.config, key, value, where) for key, value in row.items())]
    if not chain:
        return matching
    unchanged = set(_PARTS) - {key.partition(".")[0] for key in row}
    following = [job for job in matching if all(job.config[part] == chain[-1].config[part] for part in unchanged)]
    if len(following) > 1:
        raise UserError(
            f"{where}: {len(following)} jobs of the grid have {_text(row)}. Name more keys, so that one job matches."
        )
    return following


def _text(row: dict[str, Any]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in row.items()) + "}"


def _other_settings(chain: list[Job]) -> str:
    return f" and all other settings of {chain[-1].key}" if chain else ""
