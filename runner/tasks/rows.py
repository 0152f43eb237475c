"""Rows of a file of texts: CSV with a header, JSON Lines, or Parquet, by the end of its name.

What comes from outside is read within bounds, and refused with the line at fault. A value is a text, a whole number,
true, false or a list of these; None where there is none.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.errors import UserError

_MOST_COLUMNS = 1000
MOST_BYTES = 2**30  # of a file, and of what a compressed one unpacks to
_ROWS_A_BATCH = 256  # of Parquet, unpacked at a time: a few bytes may unpack to many


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
    """The columns of a file, its rows, read as they are asked for, and by column the names of labels that it stores as
    numbers, in their order."""

    columns: list[str]
    rows: Iterator[Row]
    class_names: dict[str, list[str]] = field(default_factory=dict)


def open_rows(path: Path, wanted: Sequence[str], where: Source) -> Rows:
    """Return the rows of a file.

    Args:
        path: of a readable file whose name ends in .csv, .jsonl or .parquet.
        wanted: the columns that are needed; of Parquet, no others are read.
        where: names the file in errors.

    Raises:
        UserError: at once, or while the rows are read: if the file is too large, or is not what its name says.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise UserError(f"{where}: its name ends in '{path.suffix}'. Allowed: {', '.join(_READERS)}.")
    if path.stat().st_size > MOST_BYTES:
        raise UserError(f"{where} has more than {MOST_BYTES >> 30} GiB, and no more is read. Take a sample of it.")
    rows: Rows = reader(path, wanted, where)
    if len(rows.columns) > _MOST_COLUMNS:
        raise UserError(
            f"{where} has {len(rows.columns)} columns, and at most {_MOST_COLUMNS} are read. Keep those with the "
            "texts, the labels and the split."
        )
    if doubled := [column for column in wanted if rows.columns.count(column) > 1]:
        raise UserError(f"{where} has more than one column '{doubled[0]}'. Rename or remove the others.")
    return rows


def _csv(path: Path, wanted: Sequence[str], where: Source) -> Rows:
    lines = _csv_lines(path, where)
    _, header = next(lines, (1, []))

    def rows() -> Iterator[Row]:
        for number, fields in lines:
            if len(fields) != len(header):
                raise UserError(
                    f"{where}, line {number}: the number of fields differs from the header's. Quote texts that hold "
                    "commas."
                )
            yield Row(f"line {number}", dict(zip(header, fields, strict=True)))

    return Rows(header, rows())


def _csv_lines(path: Path, where: Source) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the fields of every line that has any."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            for fields in reader:
                if any("\0" in field for field in fields):
                    raise UserError(
                        f"{where}, line {reader.line_num}: there is a NUL, so it is not UTF-8 text (UTF-16?). Save it "
                        "as UTF-8."
                    )
                if fields:
                    yield reader.line_num, fields
        except UnicodeDecodeError as error:
            raise UserError(f"{where} is not UTF-8 ({error.reason}). Save it as UTF-8.") from None
        except csv.Error as error:
            raise UserError(f"{where} is not a CSV file: line {reader.line_num}: {error}.") from None


def _jsonl(path: Path, wanted: Sequence[str], where: Source) -> Rows:
    """The columns are those of the first line."""
    rows = _json_rows(path, where)
    first = next(rows, None)
    if first is None:
        return Rows(list(wanted), rows)

    def every() -> Iterator[Row]:
        yield first
        yield from rows

    return Rows(list(first.values), every())


def _json_rows(path: Path, where: Source) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig") as file:
        number = 0
        try:
            for number, line in enumerate(file, start=1):
                if line.isspace():
                    continue
                values = json.loads(line)
                if not isinstance(values, dict):
                    raise UserError(
                        f'{where}, line {number}: not a JSON object. Write one a line, such as {{"text": "…"}}.'
                    )
                yield Row(f"line {number}", values)
        except UnicodeDecodeError as error:
            raise UserError(f"{where} is not UTF-8 ({error.reason}). Save it as UTF-8.") from None
        except (ValueError, RecursionError) as error:
            reason = getattr(error, "msg", None) or "nested too deeply, or a number too long"
            raise UserError(f"{where} is not a JSON Lines file: line {number}: {reason}.") from None


def _parquet(path: Path, wanted: Sequence[str], where: Source) -> Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        schema, names = file.schema_arrow, _class_names(file.schema_arrow)
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise UserError(f"{where} is not a Parquet file: {_first_line(error)}.") from None
    columns = [str(name) for name in schema.names]
    read = [column for column in wanted if columns.count(column) == 1]
    for column in read:
        if not _is_plain(schema.field(column).type):
            raise UserError(
                f"{where}: column '{column}' is of type {schema.field(column).type}, but must hold texts, whole "
                "numbers, true and false, or lists of these. Convert it, or name another column."
            )

    def rows() -> Iterator[Row]:
        number = unpacked = 0
        try:
            for batch in file.iter_batches(batch_size=_ROWS_A_BATCH, columns=read, use_threads=False):
                unpacked += batch.nbytes
                if unpacked > MOST_BYTES:
                    raise UserError(
                        f"{where} unpacks to more than {MOST_BYTES >> 30} GiB, and no more is read. Take a sample of "
                        "it."
                    )
                for values in batch.to_pylist():
                    number += 1
                    yield Row(f"row {number}", {key: _named(value, names.get(key)) for key, value in values.items()})
        except UnicodeDecodeError as error:
            raise UserError(f"{where}: a text is not UTF-8 ({error.reason}). Save it as UTF-8.") from None
        except (OSError, ValueError, KeyError, pa.ArrowException) as error:
            raise UserError(f"{where} cannot be read as Parquet: {_first_line(error)}.") from None

    return Rows(columns, rows(), names)


def _is_plain(type_: Any) -> bool:
    """Whether values of this type are texts, numbers, booleans or lists of these."""
    import pyarrow as pa

    of = pa.types
    if of.is_list(type_) or of.is_large_list(type_):
        return not of.is_nested(type_.value_type) and _is_plain(type_.value_type)
    if of.is_dictionary(type_):
        return not of.is_nested(type_.value_type) and _is_plain(type_.value_type)
    kinds = (of.is_string, of.is_large_string, of.is_integer, of.is_boolean, of.is_floating, of.is_null)
    return any(is_kind(type_) for is_kind in kinds)


def _class_names(schema: Any) -> dict[str, list[str]]:
    """Return by column the names of labels that are stored as numbers, as the library datasets notes them
    (https://huggingface.co/docs/datasets/about_dataset_features)."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        found = {}
        for column, feature in features.items():
            inner = feature.get("feature", feature)  # of a list
            if inner.get("_type") == "ClassLabel" and all(isinstance(name, str) for name in inner["names"]):
                found[str(column)] = list(inner["names"])
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return {}
    return found


def _named(value: Any, names: list[str] | None) -> Any:
    """Return the name of a label's number; None for a number without one, such as the -1 of a hidden label."""
    if names is None:
        return value
    if isinstance(value, list):
        return [_named(one, names) for one in value]
    return names[value] if isinstance(value, int) and 0 <= value < len(names) else None


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


_READERS = {".csv": _csv, ".jsonl": _jsonl, ".parquet": _parquet}
