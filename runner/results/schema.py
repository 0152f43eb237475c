"""The schemas of the tables, which follow from the records (runner/results/records).

A column has the name, the type and the description of its field. The description travels in the Parquet file as field
metadata (`description`), the version as table metadata (`pinbox.schema`). A column that gets another name, type or
meaning raises `VERSION`. A new column does not: it is null in files that do not have it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import NoneType
from typing import Annotated, Any, Final, Literal, get_args, get_origin, get_type_hints

import pyarrow as pa

from runner.results.records.load import Probe
from runner.results.records.measured import CallSeries, MemorySeries
from runner.results.records.prediction import Prediction
from runner.results.records.summary import JobSummary
from runner.results.records.trial import MEASURED, TrialRecord

VERSION: Final = 10

_TYPES: Final = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    dict: pa.map_(pa.string(), pa.float64()),
    list: pa.list_(pa.float64()),
}


def columns(record: type) -> Iterator[Any]:
    """Yield the columns of a record as pyarrow fields: those of its parts, in order, and then its own."""
    for part in record.__bases__:
        yield from columns(part)
    types = get_type_hints(record, include_extras=True)
    for name in vars(record).get("__annotations__", ()):
        if get_origin(types[name]) is Annotated:
            type_, description = get_args(types[name])
            yield _column(name, _arrow_type(type_), description)


def _column(name: str, arrow_type: Any, description: str) -> Any:
    return pa.field(name, arrow_type, metadata={"description": description})


def _arrow_type(type_: Any) -> Any:
    """Return the type of a column; an optional value is null where it is not known."""
    known = _not_none(type_)
    if get_origin(known) is Literal:
        return pa.string()
    return _TYPES[get_origin(known) or known]


def _not_none(type_: Any) -> Any:
    return next((choice for choice in get_args(type_) if NoneType in get_args(type_) and choice is not NoneType), type_)


def _schema(table: str, fields: Iterable[Any]) -> Any:
    return pa.schema(fields, metadata={"pinbox.schema": str(VERSION), "pinbox.table": table})


def _median(column: Any) -> Any:
    if column.name not in MEASURED:
        return column
    return _column(column.name, pa.float64(), "Median over the ok trials: " + column.metadata[b"description"].decode())


def _trial(role: str = "Role of the trial.") -> Iterator[Any]:
    """Yield the columns that say which trial a row belongs to."""
    yield _column("job", pa.string(), "Key of the job.")
    yield _column("round", pa.int64(), "Number of the trial's round.")
    yield _column("role", pa.string(), role)


def _of_trial(role: str, series: type) -> Iterator[Any]:
    """Yield the columns of a table that holds the series of all trials, one below the other."""
    yield from _trial(role)
    types = get_type_hints(series)
    for column in columns(series):
        (entry,) = get_args(_not_none(types[column.name]))
        yield _column(column.name, _arrow_type(entry), column.metadata[b"description"].decode())


RESULTS: Final = _schema("results", columns(TrialRecord))
SUMMARY: Final = _schema("summary", map(_median, columns(JobSummary)))
SAMPLES: Final = _schema(
    "samples",
    _of_trial("Whose call it is: the role of the trial, or 'partner' for a call of its partner.", CallSeries),
)
MEMORY: Final = _schema("memory", _of_trial("Role of the trial.", MemorySeries))
LOAD: Final = _schema("load", [*_trial(), *columns(Probe)])
PREDICTIONS: Final = _schema("predictions", columns(Prediction))

SCHEMAS: Final = {
    "results": RESULTS,
    "summary": SUMMARY,
    "samples": SAMPLES,
    "memory": MEMORY,
    "load": LOAD,
    "predictions": PREDICTIONS,
}
