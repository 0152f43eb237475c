"""The rows of a file of texts of any kind.

A value is a text, a whole number, a boolean or a list of these, or None if it is missing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from runner.errors import UserError


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


def check_characters(text: str, where: str) -> None:
    """Check for characters that JSON can write but neither UTF-8 nor a tokenizer can represent.

    Raises:
        UserError: if there is one.
    """
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise UserError(f"{where}: a text contains a NUL or half a character. Correct or remove the row.")


def finite_number(value: Any) -> float | None:
    """Return a value as a number; None if it is not a finite one. Numbers may be written as text."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
