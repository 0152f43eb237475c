"""Show the user's own metrics as columns of a group's table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from runner.report.columns import Cell, Column
from runner.results.format import UNKNOWN, significant

Row = Mapping[str, Any]


def metric_columns(rows: Sequence[Row]) -> list[Column]:
    """Return a column for each metric that a job of the group has, with the user's name for it."""
    names = dict.fromkeys(name for row in rows for name, value in row["metrics"] or () if value is not None)
    return [Column(name, "a metric of your own", partial(_cell, name), f"metrics.{name}") for name in names]


def by_name(row: Row) -> dict[str, float | None]:
    """Return a job's metrics as entries of its row, so that a column can be sorted by them."""
    return {f"metrics.{name}": value for name, value in row["metrics"] or ()}


def _cell(name: str, row: Row) -> Cell:
    value = row.get(f"metrics.{name}")
    return Cell(UNKNOWN if value is None else significant(value))
