"""Read the rows of a Parquet file."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from typing import IO, Any

from runner.errors import UserError, first_line
from runner.tasks.content import Content, check_unpacked
from runner.tasks.rows import Row, Rows

_ROWS_A_BATCH = 256  # the number of rows unpacked at a time, because a few bytes may unpack to many


def parquet_rows(content: Content, wanted: Sequence[str]) -> Rows:
    """Return the rows of a Parquet file. Only the wanted columns are read.

    Raises:
        UserError: if it is not a Parquet file, or if a column has another type. It may also be raised while the rows
            are read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    where = content.where
    try:
        file = pq.ParquetFile(content.path if content.compression is None else _unpacked(content))
        schema, names = file.schema_arrow, _class_names(file.schema_arrow)
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise UserError(f"{where} is not a Parquet file: {first_line(error)}.") from None
    columns = [str(name) for name in schema.names]
    read = [column for column in wanted if columns.count(column) == 1]
    for column in read:
        if not _is_plain(schema.field(column).type):
            raise UserError(
                f"{where}: column '{column}' is of type {schema.field(column).type}, but must hold texts, whole "
                "numbers, booleans, or lists of these. Convert it, or name another column."
            )

    def rows() -> Iterator[Row]:
        number = unpacked = 0
        try:
            for batch in file.iter_batches(batch_size=_ROWS_A_BATCH, columns=read, use_threads=False):
                unpacked += batch.nbytes
                check_unpacked(unpacked, where)
                for values in batch.to_pylist():
                    number += 1
                    yield Row(f"row {number}", {key: _named(value, names.get(key)) for key, value in values.items()})
        except UnicodeDecodeError as error:
            raise UserError(f"{where}: a text is not UTF-8 ({error.reason}). Save it as UTF-8.") from None
        except (OSError, ValueError, KeyError, pa.ArrowException) as error:
            raise UserError(f"{where} cannot be read as Parquet: {first_line(error)}.") from None

    return Rows(columns, rows(), names, (content.compression,) if content.compression else ())


def _unpacked(content: Content) -> IO[bytes]:
    """Return the unpacked bytes in a temporary file, because Parquet is not read from the first byte to the last."""
    unpacked = tempfile.TemporaryFile()  # noqa: SIM115 - its reader keeps it
    with content.open() as packed:
        shutil.copyfileobj(packed, unpacked)
    return unpacked


def _is_plain(type_: Any) -> bool:
    """Return whether values of this type are texts, numbers, booleans or lists of these."""
    import pyarrow as pa

    of = pa.types
    if of.is_list(type_) or of.is_large_list(type_):
        return not of.is_nested(type_.value_type) and _is_plain(type_.value_type)
    if of.is_dictionary(type_):
        return not of.is_nested(type_.value_type) and _is_plain(type_.value_type)
    kinds = (
        of.is_string,
        of.is_large_string,
        of.is_string_view,
        of.is_integer,
        of.is_boolean,
        of.is_floating,
        of.is_null,
    )
    return any(is_kind(type_) for is_kind in kinds)


def _class_names(schema: Any) -> dict[str, list[str]]:
    """Return the names of labels that are stored as numbers, by column.

    The library datasets writes them (https://huggingface.co/docs/datasets/about_dataset_features).
    """
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        names = {}
        for column, feature in features.items():
            inner = feature.get("feature", feature)  # the entries of a list
            if inner.get("_type") == "ClassLabel" and all(isinstance(name, str) for name in inner["names"]):
                names[str(column)] = list(inner["names"])
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return {}
    return names


def _named(value: Any, names: list[str] | None) -> Any:
    """Return the name of a label's number; None for a number without a name, such as the -1 of a hidden label."""
    if names is None:
        return value
    if isinstance(value, list):
        return [_named(entry, names) for entry in value]
    return names[value] if isinstance(value, int) and 0 <= value < len(names) else None
