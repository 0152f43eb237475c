"""The tables of a sweep as one value, and how they are written to and read from its folder."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from runner.errors import UserError
from runner.results.schema import SCHEMAS, VERSION
from runner.store.sweep_folder import SweepFolder

#: A row of a table, by its columns, or a part of it; runner/results/records says what they hold.
Row = Mapping[str, Any]

#: These have a row for each call, sample, probe or example. They are read part by part, never whole.
LONG = ("samples", "memory", "load", "predictions")
_ROWS_AT_ONCE = 20_000  # as Python objects
_ROWS_OF_PART = 250_000  # of a long table, held in memory at once


@dataclass(frozen=True)
class LongTable:
    """A table that is too long to be held in memory: `name` is one of LONG, `path` its file."""

    name: str
    path: Path

    def parts(self, columns: Sequence[str] | None = None, jobs: Collection[str] | None = None) -> Iterator[Any]:
        """Yield the table part by part. Strings are dictionary-encoded, so that repeated ones take no memory.

        Args:
            columns: only these columns.
            jobs: only the rows of these jobs.

        Raises:
            UserError: if the file is broken.
        """
        schema = _chosen(SCHEMAS[self.name], columns)
        keys = None if jobs is None else pa.array(sorted(jobs), pa.string())
        strings = [field.name for field in SCHEMAS[self.name] if pa.types.is_string(field.type)]
        try:
            with pq.ParquetFile(self.path, read_dictionary=strings) as file:
                there = [name for name in schema.names if name in file.schema_arrow.names]
                for group in range(file.num_row_groups):
                    wanted = None if keys is None else pc.is_in(file.read_row_group(group, ["job"])["job"], keys)
                    if wanted is None or pc.any(wanted).as_py():
                        part = file.read_row_group(group, there)
                        yield _upgrade(part if wanted is None else part.filter(wanted), schema)
        except (OSError, ValueError, pa.ArrowException) as error:
            raise _unreadable(self.path.parent, error) from None

    def read(self, columns: Sequence[str] | None = None, jobs: Collection[str] | None = None) -> Any:
        """Return what `parts` yields as one table, with the types of the schema."""
        schema = _chosen(SCHEMAS[self.name], columns)
        parts = [schema.empty_table(), *(part.cast(schema) for part in self.parts(columns, jobs))]
        return pa.concat_tables(parts).combine_chunks()

    def __len__(self) -> int:
        return int(pq.read_metadata(self.path).num_rows)


@dataclass(frozen=True)
class Tables:
    """Everything that was collected from one sweep: pyarrow tables with the schemas of `runner.results.schema`.

    `folder` is the folder of the sweep, and `manifest` is what its manifest.json holds.
    """

    folder: Path
    results: Any
    summary: Any
    samples: LongTable
    memory: LongTable
    load: LongTable
    predictions: LongTable
    manifest: Mapping[str, Any]

    @cached_property
    def jobs(self) -> list[dict[str, Any]]:
        """The rows of the summary, one for each job."""
        rows: list[dict[str, Any]] = self.summary.to_pylist()
        return rows

    def named(self) -> dict[str, Any]:
        """Return the tables by the name of their file, without `.parquet`."""
        return {name: getattr(self, name) for name in SCHEMAS}


def rows_by_job(table: Any) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield each job's rows, in the order of the table; only some rows at once are Python objects."""
    table = table.combine_chunks()  # each look-up in thousands of chunks would copy all of them
    order, jobs, ends = _by_job(table)
    first = 0
    while first < len(jobs):
        begin = ends[first]
        last = max(first + 1, int(np.searchsorted(ends, begin + _ROWS_AT_ONCE, side="right")) - 1)
        rows = table.take(order[begin : ends[last]]).to_pylist()
        for place in range(first, last):
            yield jobs[place], rows[ends[place] - begin : ends[place + 1] - begin]
        first = last


def tables_by_job(table: Any) -> Iterator[tuple[str, Any]]:
    """Yield each job's part of a table, in the order of the table."""
    table = table.combine_chunks()
    for job, rows in places_by_job(table):
        yield job, table.take(rows)


def places_by_job(table: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the places of each job's rows in a table, in the order of the table."""
    order, jobs, ends = _by_job(table)
    for place, job in enumerate(jobs):
        yield job, order[ends[place] : ends[place + 1]]


def _by_job(table: Any) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Return an order that brings the rows of each job together, the jobs, and where the rows of each begin and end."""
    jobs = pc.dictionary_encode(table["job"]).combine_chunks()
    if not len(jobs):
        return np.zeros(0, dtype=np.int64), [], np.zeros(1, dtype=np.int64)
    codes = jobs.indices.to_numpy()
    ends = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=len(jobs.dictionary)))])
    return np.argsort(codes, kind="stable"), jobs.dictionary.to_pylist(), ends


def coded(column: Any, known: dict[str, int]) -> np.ndarray:
    """Return a number for each string of a column, −1 for null, since numbers are compared and sorted fast.

    Args:
        column: a dictionary-encoded column, as `LongTable.parts` yields it.
        known: the number of each string; it grows, so that the columns of several parts can be compared.
    """
    parts = []
    for chunk in column.chunks:
        numbers = np.array([known.setdefault(text, len(known)) for text in chunk.dictionary.to_pylist()] + [-1])
        parts.append(numbers[pc.fill_null(chunk.indices, -1).to_numpy()])
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)


def write_tables(tables: Tables) -> None:
    """Write results, summary and manifest.json into the sweep folder, each completely or not at all.

    The manifest is written last, so if it is new, the tables are new, too. The long tables are written as they are
    made; see `writing`.
    """
    folder = SweepFolder(tables.folder)
    for name in SCHEMAS.keys() - LONG:
        with _whole(folder.table(name)) as part:
            pq.write_table(getattr(tables, name), part)
    text = json.dumps(tables.manifest, indent=1, ensure_ascii=False) + "\n"
    folder.write(folder.manifest, text)


@contextmanager
def writing(folder: Path, name: str) -> Iterator[Callable[[Any], None]]:
    """Yield a function that appends to the file of a long table. The file gets its name when all is written.

    Args:
        folder: the folder of the sweep.
        name: one of LONG.
    """
    schema = SCHEMAS[name]
    repeated = [field.name for field in schema if not _is_measured(field)]
    with (
        _whole(SweepFolder(folder).table(name)) as part,
        pq.ParquetWriter(part, schema, use_dictionary=repeated) as writer,
        ThreadPoolExecutor(1) as pool,
    ):
        parts = _Parts(writer, pool)
        yield parts.append
        parts.end()


class _Parts:
    """Gathers what is appended to a file into large parts, and compresses one part while the next is made."""

    def __init__(self, writer: Any, pool: ThreadPoolExecutor) -> None:
        self._writer, self._pool = writer, pool
        self._waiting: list[Any] = []
        self._rows = 0
        self._written: Future[None] | None = None

    def append(self, table: Any) -> None:
        self._waiting.append(table)
        self._rows += len(table)
        if self._rows >= _ROWS_OF_PART:
            self._write()

    def end(self) -> None:
        """Write the rest, and wait until all is written."""
        if self._waiting:
            self._write()
        self._await()

    def _write(self) -> None:
        whole = pa.concat_tables(self._waiting).combine_chunks()
        self._waiting, self._rows = [], 0
        self._await()  # at most two parts are held
        self._written = self._pool.submit(self._writer.write_table, whole, row_group_size=_ROWS_OF_PART)

    def _await(self) -> None:
        if self._written is not None:
            self._written.result()


def _is_measured(field: Any) -> bool:
    """Return whether the values of a column hardly repeat, so that a dictionary of them would only take time."""
    return bool(pa.types.is_floating(field.type) or pa.types.is_list(field.type))


def read_tables(folder: Path) -> Tables:
    """Read what `write_tables` wrote. A column that an older version did not have is null.

    Raises:
        UserError: if the folder holds no collected tables, or if they are broken or of a newer version.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder. Give the folder of a sweep, such as outputs/demo.")
    sweep = SweepFolder(folder)
    try:
        manifest = json.loads(sweep.manifest.read_text(encoding="utf-8"))
        if not isinstance(manifest, dict):
            raise ValueError("manifest.json does not hold a mapping")
        for name in SCHEMAS:
            _check_version(pq.read_schema(sweep.table(name)), name)
        short = {
            name: _upgrade(pq.read_table(sweep.table(name)), SCHEMAS[name]).cast(SCHEMAS[name])
            for name in SCHEMAS.keys() - LONG
        }
    except FileNotFoundError as error:
        missing = Path(str(error.filename or error)).name
        raise UserError(f"{folder} holds no collected results ({missing} is missing). {_again(folder)}") from None
    except (OSError, ValueError, RecursionError, pa.ArrowException) as error:
        raise _unreadable(folder, error) from None
    long = {name: LongTable(name, sweep.table(name)) for name in LONG}
    return Tables(folder=folder, manifest=manifest, **short, **long)


def _chosen(schema: Any, columns: Sequence[str] | None) -> Any:
    return pa.schema([schema.field(name) for name in columns or schema.names], schema.metadata)


def _again(folder: Path) -> str:
    return f"Collect them first: python -m runner.results {folder}"


def _unreadable(folder: Path, error: Exception) -> UserError:
    return UserError(f"{folder} holds results that cannot be read ({error}). {_again(folder)}")


def _check_version(schema: Any, name: str) -> None:
    version = int((schema.metadata or {}).get(b"pinbox.schema", b"0"))
    if version > VERSION:
        raise UserError(
            f"{name}.parquet has schema version {version}, but this Pinbox knows only up to {VERSION}. "
            f"Update Pinbox to read it."
        )


def _upgrade(table: Any, schema: Any) -> Any:
    """Return a table of this or an older version with the columns of this version; those that it lacks are null."""
    for field in schema:
        if field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(len(table), field.type))
    return table.select(schema.names)


@contextmanager
def _whole(path: Path) -> Iterator[str]:
    """Yield the name of a temporary file, which replaces `path` unless there is an error."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        yield name
        Path(name).chmod(0o644)
        Path(name).rename(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
