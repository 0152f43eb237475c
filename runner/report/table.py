"""Prepare tables as data, which a page sorts and filters. They stay usable with 10,000 rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runner.report.accuracy import AccuracyDetail
from runner.report.columns import Cell, Column
from runner.report.threads import Scaling
from runner.report.trial_time import PARTS, TrialTime
from runner.report.view import Group
from runner.results.format import pluralize

Data = dict[str, Any]


def group_table(group: Group) -> Data:
    """Return the main table of a group."""
    rows = [
        {"label": v.label, "verdict": v.verdict}
        | ({"problem": v.problem, "bad": v.row["status"] != "missing"} if v.problem else {})
        | _row(list(v.cells.values()), [column.value(v.row) for column in group.columns])
        for v in group.variants
    ]
    return {"columns": _columns(group.columns), "rows": rows}


def accuracy_table(detail: AccuracyDetail) -> Data:
    """Return the table of accuracy in detail."""
    rows = [{"label": label} | _row(cells, [c.value(row) for c in detail.columns]) for label, row, cells in detail.rows]
    return {"columns": _columns(detail.columns), "rows": rows}


def trial_time_table(spent: TrialTime) -> Data:
    """Return the table of where the time of a trial goes, in seconds."""
    columns = [{"title": title, "explanation": explanation} for title, explanation in PARTS.items()]
    rows = [{"label": label} | _row([Cell(f"{s:.2f}") for s in seconds], seconds) for label, seconds in spent.rows]
    return {"columns": columns, "rows": rows}


def scaling_table(scaling: Scaling) -> Data:
    """Return the table of the speedup from more threads."""
    columns = [
        {"title": pluralize(number, "thread"), "explanation": "speedup over one thread"} for number in scaling.threads
    ]
    speedups = [
        [rows[number]["thread_speedup"] if number in rows else None for number in scaling.threads]
        for _, rows in scaling.variants
    ]
    rows = [{"label": label} | _row(cells, own) for (label, cells), own in zip(scaling.cells(), speedups, strict=True)]
    return {"columns": columns, "rows": rows}


def _columns(columns: Sequence[Column]) -> list[Data]:
    return [{"title": c.title, "explanation": c.explanation} | ({"hidden": True} if c.detail else {}) for c in columns]


def _row(cells: Sequence[Cell], values: Sequence[float | None]) -> Data:
    """Return the cells and the values to sort by. A cell is its text, small print and hint, without empty ends."""
    return {
        "cells": [_stripped([cell.text, cell.note, cell.hint]) for cell in cells],
        "values": [None if value is None else float(f"{value:.9g}") for value in values],
    }


def _stripped(texts: list[str]) -> list[str]:
    while len(texts) > 1 and not texts[-1]:
        texts.pop()
    return texts
