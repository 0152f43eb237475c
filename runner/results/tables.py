"""The tables of a sweep as one value, and how they are written to and read from its folder."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from runner.artifacts import write_whole
from runner.errors import UserError
from runner.results.schema import SCHEMAS, VERSION


@dataclass(frozen=True)
class Tables:
    """Everything collected from one sweep: pyarrow tables with the schemas of `runner.results.schema`.

    `folder` is the sweep folder, `manifest` the content of its manifest.json.
    """

    folder: Path
    results: Any
    summary: Any
    samples: Any
    memory: Any
    predictions: Any
    manifest: Mapping[str, Any]

    def named(self) -> dict[str, Any]:
        """Return the tables by the name of their file, without `.parquet`."""
        return {name: getattr(self, name) for name in SCHEMAS}


def write_tables(tables: Tables) -> None:
    """Write the Parquet files and manifest.json into the sweep folder, each whole or not at all.

    The manifest comes last: where it is new, the tables beside it are.
    """
    for name, table in tables.named().items():
        _write_whole(tables.folder / f"{name}.parquet", partial(pq.write_table, table))
    text = json.dumps(tables.manifest, indent=1, ensure_ascii=False) + "\n"
    write_whole(tables.folder / "manifest.json", text)


def read_tables(folder: Path) -> Tables:
    """Read what `write_tables` wrote; a column that an older version did not have is null.

    Raises:
        UserError: if the folder holds no collected tables, broken ones, or those of a newer version.
    """
    again = f"Collect them first: python -m runner.results {folder}"
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        if not isinstance(manifest, dict):
            raise ValueError("manifest.json holds no mapping")
        tables = {name: _upgrade(pq.read_table(folder / f"{name}.parquet"), name) for name in SCHEMAS}
    except FileNotFoundError as error:
        missing = Path(str(error.filename or error)).name
        raise UserError(f"{folder} holds no collected results ({missing} is missing). {again}") from None
    except (OSError, ValueError, RecursionError, pa.ArrowException) as error:
        raise UserError(f"{folder} holds results that cannot be read ({error}). {again}") from None
    return Tables(folder=folder, manifest=manifest, **tables)


def _upgrade(table: Any, name: str) -> Any:
    """Give a table of this or an older version the columns and types of this version."""
    version = int((table.schema.metadata or {}).get(b"pinbox.schema", b"0"))
    if version > VERSION:
        raise UserError(
            f"{name}.parquet has schema version {version}, but this Pinbox knows only up to {VERSION}. "
            f"Update Pinbox to read it."
        )
    for field in SCHEMAS[name]:
        if field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(len(table), field.type))
    return table.select(SCHEMAS[name].names).cast(SCHEMAS[name])


def _write_whole(path: Path, write: Callable[[str], object]) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        write(name)
        Path(name).chmod(0o644)
        Path(name).rename(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
