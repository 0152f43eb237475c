"""A waterfall: jobs of a sweep in a row, each a step from the one before, as `grid.waterfall` declares them."""

from __future__ import annotations

from typing import Any

from runner.errors import UserError
from runner.sweep.jobs import Job, matches

_PARTS = ("model", "technique", "task", "workload", "threads", "isolation")


def find_waterfalls(jobs: list[Job], rows: list[dict[str, Any]]) -> list[list[str]]:
    """Return the keys of the jobs of each waterfall, one waterfall for every job that the first row matches.

    A row names what it changes, as a rule of `grid.exclude` does; all else stays as in the row before. So a first row
    `{model: a, technique: b}` in a grid with one and with two threads starts two waterfalls. One that the grid lacks a
    job of is left out.

    Raises:
        UserError: if no waterfall is left, or a row matches several jobs; it names the row.
    """
    found: list[list[Job]] = [[]]
    for number, row in enumerate(rows):
        where = f"grid.waterfall[{number}]"
        nexts = [[*chain, job] for chain in found for job in _following(chain, row, jobs, where)]
        if not nexts:
            raise UserError(
                f"{where}: no job of the grid is like {_said(row)}{_else_as(found[0])}. Add it to grid.union."
            )
        found = nexts
    return [[job.key for job in chain] for chain in found if chain]


def _following(chain: list[Job], row: dict[str, Any], jobs: list[Job], where: str) -> list[Job]:
    matching = [job for job in jobs if all(matches(job.config, key, wanted, where) for key, wanted in row.items())]
    if not chain:
        return matching
    kept = set(_PARTS) - {key.partition(".")[0] for key in row}
    same = [job for job in matching if all(job.config[part] == chain[-1].config[part] for part in kept)]
    if len(same) > 1:
        raise UserError(f"{where}: {len(same)} jobs of the grid are like {_said(row)}. Name more keys, to tell one.")
    return same


def _said(row: dict[str, Any]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in row.items()) + "}"


def _else_as(chain: list[Job]) -> str:
    return f", with all else as in {chain[-1].key}" if chain else ""
