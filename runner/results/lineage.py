"""Read the notes that the steps of an artifact recorded about it."""

from __future__ import annotations

from typing import Any


def is_masked(lineage: list[dict[str, Any]]) -> bool:
    """Return whether weights of an artifact were set to 0, and no step since then has filled them again.

    Training and factorizing fill them.
    """
    masked = False
    for record in lineage:
        notes = record.get("notes") or {}
        masked = bool(notes.get("masked")) or (masked and not {"epochs", "energy_kept"} & notes.keys())
    return masked


def notes_of(lineage: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the notes of each step."""
    return [record.get("notes") or {} for record in lineage]


def labels_of_head(lineage: list[dict[str, Any]]) -> list[str]:
    """Return the names that a model has for its own outputs, for a task without labels; empty if it has none."""
    named = [notes.get("labels") for notes in notes_of(lineage)]
    return next((labels for labels in reversed(named) if labels), [])


def other_outputs(lineage: list[dict[str, Any]], labels: list[str]) -> list[str]:
    """Return the names of the outputs that the task has no label for; they come after those of its labels."""
    names = labels_of_head(lineage)
    return names[len(labels) :] if labels and names[: len(labels)] == labels else []
