"""The rows of a file of texts of any kind.

A value is a text, a whole number, a boolean or a list of these, or None if it is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Source:
    """The source of rows, for errors: the key that names it, and its path or name."""

    key: str
    name: str

    def __str__(self) -> str:
        return f"{self.key}: {self.name}"


@dataclass(frozen=True)
class Row:
    """A row: its place in the file, such as "line 3", and its values by column."""

    where: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Rows:
    """The content of a file.

    Attributes:
        columns: the names of the columns.
        rows: the rows, which are read one by one when they are needed.
        class_names: the names of labels that are stored as numbers, in their order, by column.
        read_as: how the file was read, such as "semicolon-separated"; empty for a plain file.
    """

    columns: list[str]
    rows: Iterator[Row]
    class_names: dict[str, list[str]] = field(default_factory=dict)
    read_as: tuple[str, ...] = ()
