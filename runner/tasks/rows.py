"""Rows of a file of texts, whatever kind of file it is.

A value is a text, a whole number, true, false or a list of these; None where there is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Source:
    """Where rows come from, for errors: the key that names it, and its path or name."""

    key: str
    name: str

    def __str__(self) -> str:
        return f"{self.key}: {self.name}"


@dataclass(frozen=True)
class Row:
    """One row: `where` is such as "line 3"; `values` are by column."""

    where: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Rows:
    """What a file holds.

    Attributes:
        columns: their names.
        rows: read as they are asked for.
        class_names: by column the names of labels that it stores as numbers, in their order.
        read_as: how it was read, such as "semicolon-separated"; empty for a plain file.
    """

    columns: list[str]
    rows: Iterator[Row]
    class_names: dict[str, list[str]] = field(default_factory=dict)
    read_as: tuple[str, ...] = ()
