"""Read the columns of a file of texts, before it is known what each of them holds."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from runner.errors import UserError
from runner.tasks.columns import SPLIT
from runner.tasks.file import readable_path
from runner.tasks.reading import open_rows
from runner.tasks.rows import Row, Source
from runner.tasks.split import TEST
from runner.tasks.texts import NUMBER_PATTERN

MAX_ROWS = 50_000  # the rows that are read to find out what the columns hold; the sweep itself reads and checks all
_MOSTLY = 0.9  # the share of a column's values that counts as most of them


@dataclass(frozen=True)
class Table:
    """The first rows of a file.

    Attributes:
        where: the file's name in errors.
        columns: the names of the columns that can hold texts or labels.
        rows: the rows, at most `MAX_ROWS`.
        whole: whether these are all rows of the file.
        class_names: the names of labels that are stored as numbers, by column.
    """

    where: Source
    columns: list[str]
    rows: list[Row]
    whole: bool
    class_names: dict[str, list[str]] = field(default_factory=dict)

    def values(self, column: str) -> Iterator[Any]:
        """Yield a column's values that are not missing."""
        values = (row.values.get(column) for row in self.rows)
        return (value for value in values if value not in (None, ""))

    def holds_texts(self, column: str) -> bool:
        """Return whether a column mostly holds texts that are not numbers."""
        return self._mostly(column, lambda value: isinstance(value, str) and not NUMBER_PATTERN.fullmatch(value))

    def holds_words(self, column: str) -> bool:
        """Return whether a column mostly holds lists of words."""
        return self._mostly(column, lambda value: isinstance(value, list) and all(isinstance(v, str) for v in value))

    def mean_length(self, column: str) -> float:
        """Return the mean number of characters of a column's texts."""
        return statistics.fmean(_characters(value) for value in self.values(column))

    def long_length(self, column: str) -> float:
        """Return the number of characters that 95% of a column's texts do not exceed."""
        lengths = sorted(_characters(value) for value in self.values(column))
        return lengths[int(0.95 * (len(lengths) - 1))]

    def test_texts(self, labelled: bool) -> float:
        """Return about how many texts there are to test on, or infinity if not all rows were read.

        The rules are in `runner.tasks.file`.

        Args:
            labelled: whether the task has labels.
        """
        if not self.whole:
            return math.inf
        if SPLIT not in self.columns:
            return TEST * len(self.rows) if labelled else len(self.rows)
        return Counter(row.values.get(SPLIT) for row in self.rows)["test"]

    def _mostly(self, column: str, holds: Any) -> bool:
        found = [bool(holds(value)) for value in self.values(column)]
        return bool(found) and sum(found) >= _MOSTLY * len(found)


def read_table(path: Path, encoding: str | None, delimiter: str | None) -> Table:
    """Read the first rows of a file; see `runner.tasks.reading.open_rows`.

    Raises:
        UserError: if the file cannot be read, or if it holds no rows or no header.
    """
    path = readable_path(str(path))
    where = Source("TEXTS", str(path))
    named = open_rows(path, [], where, encoding, delimiter).columns
    _check_header(named, where)
    wanted = [column for column in named if named.count(column) == 1]
    try:
        rows = open_rows(path, wanted, where, encoding, delimiter)
    except UserError:  # for example, a column of dates, which are not texts or labels
        wanted = [column for column in wanted if _is_plain(path, column, where, encoding, delimiter)]
        rows = open_rows(path, wanted, where, encoding, delimiter)
    first = list(islice(rows.rows, MAX_ROWS + 1))
    if not first:
        raise UserError(f"{where} holds no rows. Add texts.")
    return Table(where, wanted, first[:MAX_ROWS], len(first) <= MAX_ROWS, rows.class_names)


def _is_plain(path: Path, column: str, where: Source, encoding: str | None, delimiter: str | None) -> bool:
    try:
        open_rows(path, [column], where, encoding, delimiter)
    except UserError:
        return False
    return True


def _check_header(names: list[str], where: Source) -> None:
    """Check that the first line names columns, because people forget such a line."""
    data = [name for name in names if NUMBER_PATTERN.fullmatch(name.strip()) or len(name.split()) > 5]
    if data:
        shown = ", ".join(f"'{name:.40}'" for name in names[:4])
        raise UserError(
            f"{where}: the first line holds {shown}, which looks like data and not like the names of columns. Put a "
            "line with names above it, such as text,label, separated as the other lines are."
        )


def _characters(value: Any) -> int:
    return sum(len(word) + 1 for word in value) if isinstance(value, list) else len(str(value))
