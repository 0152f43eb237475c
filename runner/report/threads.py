"""Show the speedup from more threads: each technique is compared with its own row with one thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from runner.report.columns import Cell
from runner.results.format import UNKNOWN, percent, significant
from runner.results.labels import group_label
from runner.results.tables import Row, Tables

EXPLAINED = (
    "The speedup is the latency with one thread ÷ the latency with several, for the same technique, with its 95% "
    "interval (Welch's t over the rounds). Efficiency is the speedup ÷ the number of threads."
)
_SAME = (
    "family",
    "task",
    "workload",
    "cpu",
    "isolation",
    "quota_cpus",
    "load",
    "workers",
    "max_batch_size",
    "batch_size",
    "padding",
    "max_length",
    "bucket",
)


@dataclass(frozen=True)
class Scaling:
    """One family, task and workload: the numbers of threads, and each variant's summary rows by that number."""

    title: str
    threads: list[int]
    variants: list[tuple[str, dict[int, Row]]]

    def cells(self) -> list[tuple[str, list[Cell]]]:
        """Return the label of each variant and, for each number of threads, its speedup, interval and efficiency."""
        return [(label, [_cell(rows.get(number)) for number in self.threads]) for label, rows in self.variants]


def scalings(tables: Tables) -> list[Scaling]:
    """Return the variants that were measured with one thread and with several. Empty if none was."""
    found: dict[tuple[Any, ...], dict[str, dict[int, Row]]] = {}
    for row in tables.jobs:
        if row["threads"] == 1 or row["thread_speedup"] is not None:
            variants = found.setdefault(tuple(row[name] for name in _SAME), {})
            variants.setdefault(group_label(row), {}).setdefault(row["threads"], row)
    made = []
    for (family, task, workload, cpu, *_), variants in found.items():
        scaled = [(label, rows) for label, rows in variants.items() if rows.keys() - {1}]
        if scaled:
            several = sorted({number for _, rows in scaled for number in rows} - {1})
            made.append(
                Scaling(f"{family} on {task}, workload {workload}{f', on {cpu}' if cpu else ''}", several, scaled)
            )
    return made


def _cell(row: Row | None) -> Cell:
    if row is None or row["thread_speedup"] is None:
        return Cell(UNKNOWN)
    low, high = row["thread_speedup_low"], row["thread_speedup_high"]
    interval = "" if low is None else f"{significant(low)}–{significant(high)}, "
    return Cell(f"{significant(row['thread_speedup'])}×", f"{interval}efficiency {percent(row['thread_efficiency'])}")
