"""Long tables whose file is in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from runner.results.schema import SCHEMAS
from runner.results.tables import LONG, LongTable, Tables, write_tables


def in_memory(name: str, table: Any) -> LongTable:
    """Return a long table of these rows."""
    file = pa.BufferOutputStream()
    pq.write_table(table.cast(SCHEMAS[name]), file)
    return LongTable(name, pa.BufferReader(file.getvalue()))


def changed(tables: Tables, change: Callable[[Any, str], Any], **others: Any) -> Tables:
    """Return the tables with each one changed, and with other fields.

    Args:
        change: takes a pyarrow table and its name, and returns one.
    """
    whole = {name: table.read() if name in LONG else table for name, table in tables.named().items()}
    made = {name: change(table, name) for name, table in whole.items()}
    kept = {name: in_memory(name, table) if name in LONG else table for name, table in made.items()}
    return replace(tables, **kept, **others)


def write_all(tables: Tables, folder: Path) -> None:
    """Write the tables into a folder, the long ones too."""
    for name in LONG:
        pq.write_table(getattr(tables, name).read(), folder / f"{name}.parquet")
    write_tables(replace(tables, folder=folder))
