"""Read a file of texts, compressed or not: CSV or TSV with a header, JSON Lines, or Parquet.

The end of the file's name says which kind it is. Reading is limited, because the file may come from an untrusted
source. Errors name the line at fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from runner.errors import UserError
from runner.tasks.content import content_of
from runner.tasks.delimited import delimited_rows
from runner.tasks.json_lines import json_rows
from runner.tasks.lines import text_file
from runner.tasks.parquet import parquet_rows
from runner.tasks.rows import Row, Rows, Source

_MAX_COLUMNS = 1000
MAX_ROWS = 2_000_000  # all rows are held in memory, and a small compressed file may hold too many
_DELIMITED, _JSON_LINES, _PARQUET = (".csv", ".tsv"), (".jsonl", ".ndjson", ".json"), (".parquet",)
TABLES = (*_DELIMITED, *_JSON_LINES, *_PARQUET)  # the ends of the names of files that can be read


def open_rows(
    path: Path, wanted: Sequence[str], where: Source, encoding: str | None = None, delimiter: str | None = None
) -> Rows:
    """Return the rows of a file.

    Args:
        path: a readable file.
        wanted: the columns that are needed. Only these are read from Parquet.
        where: the file's name in errors.
        encoding: the encoding of a text file; None to detect it.
        delimiter: the name of the delimiter of a CSV file; None to detect it.

    Raises:
        UserError: if the file is too large, or is not what its name says. It may also be raised while the rows are
            read.
    """
    content = content_of(path, where, TABLES)
    if content.suffix in _PARQUET:
        rows = parquet_rows(content, wanted)
    elif content.suffix in _JSON_LINES:
        rows = json_rows(text_file(content, encoding), wanted)
    else:
        rows = delimited_rows(text_file(content, encoding), wanted, delimiter)
    if len(rows.columns) > _MAX_COLUMNS:
        raise UserError(
            f"{where} has {len(rows.columns)} columns, but at most {_MAX_COLUMNS} are allowed. Keep those with the "
            "texts, the labels and the split."
        )
    if doubled := [column for column in wanted if rows.columns.count(column) > 1]:
        raise UserError(f"{where} has more than one column '{doubled[0]}'. Rename or remove the others.")
    return replace(rows, rows=_bounded(rows.rows, set(wanted), where))


def _bounded(rows: Iterator[Row], wanted: set[str], where: Source) -> Iterator[Row]:
    """Yield the rows with only the wanted columns, and refuse too many rows."""
    for number, row in enumerate(rows, start=1):
        if number > MAX_ROWS:
            raise UserError(f"{where} has more than {MAX_ROWS:,} rows, which is the limit. Take a sample of it.")
        yield Row(row.where, {column: value for column, value in row.values.items() if column in wanted})
