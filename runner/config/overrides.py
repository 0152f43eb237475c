"""Hydra's override grammar."""

from __future__ import annotations


def quoted(text: str) -> str:
    """Return a text as a value of an override, whatever characters it has."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
