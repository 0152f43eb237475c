"""Collect how each artifact was made: its steps, their settings and their notes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runner.results.format import UNKNOWN, megabytes, significant
from runner.results.tables import Tables

Row = Mapping[str, Any]

MOST = 200


@dataclass(frozen=True)
class Made:
    """One step: its name, settings, duration in seconds and notes, as text."""

    step: str
    settings: str
    seconds: str
    notes: str


@dataclass(frozen=True)
class Lineage:
    """An artifact of the sweep. `labels` names the variants that run it."""

    labels: list[str]
    artifact: str
    about: str
    steps: list[Made]


def lineages(tables: Tables) -> tuple[list[Lineage], int]:
    """Return the lineages of the first artifacts, in the order of the plan, and the number of all artifacts."""
    labels: dict[str, list[str]] = {}
    rows: dict[str, Row] = {}
    for row in tables.jobs:
        if row["artifact"]:
            own = labels.setdefault(row["artifact"], [])
            own += [label for label in [f"{row['model']} · {row['technique']}"] if label not in own]
            rows.setdefault(row["artifact"], row)
    known = tables.manifest.get("lineage") or {}
    made = [(artifact, known[artifact]) for artifact in rows if artifact in known]
    shown = [
        Lineage(labels[artifact], artifact, _about(rows[artifact]), [_made(step) for step in steps])
        for artifact, steps in made[:MOST]
    ]
    return shown, len(made)


def _about(row: Row) -> str:
    return f"{row['artifact_format'] or UNKNOWN}, {megabytes(row['disk_bytes'])}"


def _made(step: Row) -> Made:
    seconds = step.get("seconds")
    return Made(
        str(step["step"]),
        _said(step.get("config") or {}),
        UNKNOWN if seconds is None else f"{significant(seconds, 2)} s",
        _said(step.get("notes") or {}),
    )


def _said(values: Row) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in values.items() if value not in (None, [], {}))


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else text[:199] + "…"
