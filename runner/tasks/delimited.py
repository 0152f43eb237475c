"""Read the rows of a file of separated values with a header: CSV, as Excel and others write it, or TSV."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress

from runner.errors import UserError
from runner.tasks.lines import MAX_CHARACTERS, Lines, TextFile
from runner.tasks.rows import Row, Rows, Source

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
_PLURALS = {"comma": "commas", "semicolon": "semicolons", "tab": "tabs", "pipe": "pipes"}
_ALLOWED = "task.delimiter names the delimiter between the fields: comma, semicolon, tab or pipe; null detects it"
_EXCEL_LINE = re.compile(r'"?sep=(.)"?\s*')  # a first line with which Excel names the delimiter


def delimited_rows(file: TextFile, wanted: Sequence[str], declared: str | None) -> Rows:
    """Return the rows below a header.

    The delimiter is the one that separates the names of the wanted columns in the header. Every row must have as many
    fields as the header. Spaces around names are removed. If there is a space before each name, spaces before values
    are removed, too.

    Args:
        file: the file.
        wanted: the columns that are needed.
        declared: the delimiter's name; None to detect it.

    Raises:
        UserError: if the delimiter cannot be detected, or, while the rows are read, if a row is at fault.
    """
    excel_line = _EXCEL_LINE.fullmatch(next(iter(file.lines()), ""))
    skip = 1 if excel_line else 0
    excels = next((name for name, mark in DELIMITERS.items() if excel_line and mark == excel_line[1]), None)
    delimiter = declared or excels or _detected(file, skip, wanted)
    raw = _header(file, skip, delimiter, spaced=False)
    spaced = len(raw) > 1 and all(name.startswith(" ") for name in raw[1:])
    records = _records(file.lines(skip), file.content.where, delimiter, spaced)
    _, header = next(records, (1, []))
    certain = bool(declared or excels)
    if len(header) == 1 and not certain:
        records = _of_one_column(records, file.content.where, delimiter)
    read_as: tuple[str, ...] = () if delimiter == "comma" else (f"{delimiter}-separated",)
    if spaced:
        read_as += (f"without the spaces after {_PLURALS[delimiter]}",)
    columns = [name.strip() for name in header]
    return Rows(columns, _rows(records, columns, file.content.where, delimiter), read_as=read_as + file.read_as)


def _detected(file: TextFile, skip: int, wanted: Sequence[str]) -> str:
    """Return the delimiter with which the header has the most wanted columns."""
    headers = {name: [column.strip() for column in _header(file, skip, name, spaced=True)] for name in DELIMITERS}
    counts = {name: len(set(wanted).intersection(header)) for name, header in headers.items()}
    likeliest = [name for name in DELIMITERS if counts[name] == max(counts.values())]
    if len(likeliest) == 1:
        return likeliest[0]
    longest = max(likeliest, key=lambda name: len(headers[name]))
    if counts[longest] and len(headers[longest]) > 1:
        raise UserError(
            f"{file.content.where}: by its header, the fields may be separated by "
            f"{' or '.join(_PLURALS[name] for name in likeliest)}. {_ALLOWED}."
        )
    if len(headers[longest]) > 1:
        return longest  # the file lacks all wanted columns, and is refused for that later
    return "tab" if file.content.suffix == ".tsv" else "comma"


def _header(file: TextFile, skip: int, delimiter: str, spaced: bool) -> list[str]:
    """Return the fields of the first line that is not empty; none if it cannot be read with this delimiter."""
    _allow_long_fields()
    reader = csv.reader(file.lines(skip), delimiter=DELIMITERS[delimiter], strict=True, skipinitialspace=spaced)
    with suppress(csv.Error):
        return next((fields for fields in reader if fields), [])
    return []


def _records(lines: Lines, where: Source, delimiter: str, spaced: bool) -> Iterator[tuple[int, list[str]]]:
    """Yield the fields of every record that is not empty, and the number of its first line."""
    _allow_long_fields()
    reader = csv.reader(lines, delimiter=DELIMITERS[delimiter], strict=True, skipinitialspace=spaced)
    while True:
        first = lines.number + 1
        try:
            fields = next(reader, None)
        except csv.Error as error:
            raise UserError(
                f"{where} is not a CSV file: line {first}: {_message(error)}. Close every quote, and double the quotes "
                'inside a quoted text ("so ""he"" said").'
            ) from None
        if fields is None:
            return
        if any("\0" in field for field in fields):
            raise UserError(
                f"{where}, line {first}: it contains a NUL, so the file has another encoding. If it is UTF-16, "
                "set task.encoding=utf-16-le, or save it as UTF-8."
            )
        if delimiter == "tab" and any("\t" in field and "\n" in field for field in fields):
            raise UserError(
                f"{where}, line {first}: a quote opens here and closes in line {lines.number}, with tabs in between. "
                "If these quotes are part of the texts, quote the texts and double the quotes in them."
            )
        if any(fields) or len(fields) == 1:  # Excel writes rows of nothing but delimiters
            yield first, fields


def _rows(records: Iterator[tuple[int, list[str]]], columns: list[str], where: Source, delimiter: str) -> Iterator[Row]:
    for number, fields in records:
        if len(fields) != len(columns):
            raise UserError(
                f"{where}, line {number}: the number of fields differs from the header's: {len(fields)}, not "
                f"{len(columns)}, separated by {_PLURALS[delimiter]}. Quote texts that hold {_PLURALS[delimiter]}."
            )
        yield Row(f"line {number}", dict(zip(columns, fields, strict=True)))


def _of_one_column(
    records: Iterator[tuple[int, list[str]]], where: Source, delimiter: str
) -> Iterator[tuple[int, list[str]]]:
    """Yield the records below a header of one column. At the end, check that no other delimiter fits all of them.

    Another delimiter fits if it separates every record into the same number of fields, more than one.
    """
    others = {name: character for name, character in DELIMITERS.items() if name != delimiter}
    counts: dict[str, set[int]] = {name: set() for name in others}
    for number, fields in records:
        for name, character in others.items():
            counts[name].add(sum(field.count(character) for field in fields))
        yield number, fields
    for name, distinct in counts.items():
        if len(distinct) == 1 and distinct != {0}:
            raise UserError(
                f"{where}: the header has one column, but every row has {distinct.pop() + 1} fields, separated by "
                f"{_PLURALS[name]}. Name all columns, or if {_PLURALS[name]} are part of the texts, set "
                f"task.delimiter={delimiter}."
            )


def _message(error: csv.Error) -> str:
    """Return the csv module's message, with a word in place of a tab."""
    return str(error).replace("'\t'", "a tab")


def _allow_long_fields() -> None:
    csv.field_size_limit(MAX_CHARACTERS)  # the module has only this limit, which is for the whole process
