"""Make the table of what other tools measured."""

from __future__ import annotations

from runner.results.external.measured import CAVEAT, TITLE, Measured, kept
from runner.results.format import UNKNOWN, megabytes, milliseconds, pluralize, seconds, significant
from runner.results.tables import Tables

__all__ = ["CAVEAT", "COLUMNS", "TITLE", "elsewhere_rows"]

COLUMNS = (
    *("Benchmark", "Tool", "Latency p50", "Latency p90", "Texts per second", "Memory peak", "Load"),
    *("Measured", "CPU", "File"),
)


def elsewhere_rows(tables: Tables) -> list[tuple[str, ...]]:
    """Return one row of COLUMNS for each benchmark that was imported into this sweep."""
    return [_row(one) for one in kept(tables.folder)]


def _row(one: Measured) -> tuple[str, ...]:
    rate = one.examples_per_second
    return (
        *(one.name, one.tool, milliseconds(one.latency_p50_seconds), milliseconds(one.latency_p90_seconds)),
        *(UNKNOWN if rate is None else significant(rate), megabytes(one.rss_peak_bytes), seconds(one.load_seconds)),
        f"{pluralize(one.calls, 'timing')} in {one.processes} process{'' if one.processes == 1 else 'es'}",
        *(one.cpu or UNKNOWN, one.file),
    )
