"""The tables as files: what is written is read back, whatever it says."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.results.schema import SCHEMAS
from runner.results.tables import LONG, LongTable, Tables, read_tables, write_tables

FLOATS = st.floats() | st.sampled_from([math.nan, -0.0, math.inf, -math.inf, 5e-324])
ODD = ["", " ", "\n", "\r\n", "\0", "\x1b[31m", "🦆", "e\u0301", "\u202e", "'\"`", "NaN", "null", "None", "a,b", "<b>"]
VALUES = {
    pa.string(): st.text() | st.sampled_from(ODD),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float64(): FLOATS,
    pa.bool_(): st.booleans(),
    pa.list_(pa.float64()): st.lists(FLOATS | st.none(), max_size=3),
    pa.map_(pa.string(), pa.float64()): st.dictionaries(st.text(), FLOATS | st.none(), max_size=3).map(
        lambda values: list(values.items())
    ),
}


def a_table(name: str) -> st.SearchStrategy[Any]:
    """Return tables of a schema with any values, none as well as a few rows."""
    rows = st.fixed_dictionaries({field.name: st.none() | VALUES[field.type] for field in SCHEMAS[name]})
    return st.lists(rows, max_size=3).map(lambda rows: pa.Table.from_pylist(rows, SCHEMAS[name]))


def same(value: Any, other: Any) -> bool:
    """Return whether two values are the same; NaN is, and 0.0 is not -0.0."""
    return repr(value) == repr(other)


EMPTY = {name: schema.empty_table() for name, schema in SCHEMAS.items()}
TEXTS = st.text() | st.sampled_from(ODD)
MANIFESTS = st.dictionaries(TEXTS, st.none() | st.booleans() | st.integers() | TEXTS | st.lists(TEXTS), max_size=4)


def _write(place: Path, tables: dict[str, Any], manifest: dict[str, Any]) -> None:
    for name in LONG:
        pq.write_table(tables[name], place / f"{name}.parquet")
    long = {name: LongTable(name, place / f"{name}.parquet") for name in LONG}
    write_tables(Tables(place, **tables | long, manifest=manifest))


@pytest.mark.slow
@pytest.mark.parametrize("name", SCHEMAS)
@settings(max_examples=25)
@given(data=st.data(), manifest=MANIFESTS)
def test_what_is_written_is_read(name: str, data: st.DataObject, manifest: dict[str, Any]) -> None:
    written = data.draw(a_table(name))
    with tempfile.TemporaryDirectory() as place:
        _write(Path(place), EMPTY | {name: written}, manifest)
        read = read_tables(Path(place))
        tables = {other: table.read() if other in LONG else table for other, table in read.named().items()}
    assert read.manifest == manifest
    for other, table in tables.items():
        assert table.schema.equals(SCHEMAS[other], check_metadata=True)
        assert len(table) == (len(written) if other == name else 0)
    assert same(tables[name].to_pylist(), written.to_pylist())


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_column_that_an_older_version_had_not_is_null(name: str, tmp_path: Path) -> None:
    rows = pa.Table.from_pylist([{}, {}], SCHEMAS[name])
    _write(tmp_path, EMPTY | {name: rows.drop_columns(SCHEMAS[name].names[-1])}, {})
    read = read_tables(tmp_path).named()[name]
    read = read.read() if name in LONG else read
    assert read.column_names == SCHEMAS[name].names
    assert read.column(SCHEMAS[name].names[-1]).null_count == 2
