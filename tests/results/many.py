"""A sweep of very many jobs, made from the tables of a small one: writing their trial files would take minutes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from runner.results.schema import SCHEMAS
from runner.results.statistics import TAILS
from runner.results.tables import LONG, Tables
from tests.results.in_memory import changed

_SLOWER = 0.0003  # each copy than the one before, as a fraction
_LATENCIES = ("latency_p50_seconds", "latency_ratio", "latency_ratio_low", "latency_ratio_high")
_LATENCIES += tuple(f"latency_p{tail}_{kind}" for tail in TAILS for kind in ("seconds", "ratio"))


def multiplied(tables: Tables, times: int, folder: Path) -> Tables:
    """Return the tables with every variant `times` times, each copy a little slower and smaller; one baseline."""
    baselines = pc.unique(tables.summary["baseline_job"])
    return changed(tables, lambda table, name: _copies(table, baselines, times, name), folder=folder)


def _copies(table: Any, baselines: Any, times: int, name: str) -> Any:
    is_baseline = pc.is_in(table["job"], baselines)
    variants = table.filter(pc.invert(is_baseline))
    copies = [_copy(variants, number) for number in range(times)]
    return pa.concat_tables([table.filter(is_baseline), *copies]).cast(SCHEMAS[name])


def _copy(table: Any, number: int) -> Any:
    for column in {"job", "technique"} & set(table.column_names):
        table = _with(table, column, pc.binary_join_element_wise(table[column], f"{number:05}", "-"))
    for column in {*_LATENCIES} & set(table.column_names):
        table = _with(table, column, pc.multiply(table[column], 1 + _SLOWER * number))
    if "disk_bytes" in table.column_names:
        table = _with(table, "disk_bytes", pc.subtract(table["disk_bytes"], 1000 * number))
    return table


def _with(table: Any, column: str, values: Any) -> Any:
    return table.set_column(table.column_names.index(column), column, values)


def spread(tables: Tables, times: int, folder: Path) -> Tables:
    """Return the tables with every job `times` times, each copy in a family of its own, beside its own baseline."""
    names = {"job", "family", "model", "baseline_job"}

    def copies(table: Any, name: str) -> Any:
        made = []
        for number in range(times):
            copy = table
            for column in names & set(table.column_names):
                copy = _with(copy, column, pc.binary_join_element_wise(f"m{number:04}", copy[column], "-"))
            made.append(copy)
        return pa.concat_tables(made).cast(SCHEMAS[name])

    return changed(tables, copies, folder=folder)


def together(*several: Tables) -> Tables:
    """Return the tables of several sweeps as those of one: the first one's name, folder and manifest."""
    first, *others = several

    def joined(table: Any, name: str) -> Any:
        named = [one.named()[name] for one in others]
        return pa.concat_tables([table, *(one.read() if name in LONG else one for one in named)])

    return changed(first, joined)
