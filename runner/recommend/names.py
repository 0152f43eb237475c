"""Name the variants of a choice by the settings in which they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from runner.results.format import milliseconds, pluralize
from runner.results.labels import group_label, load, quota
from runner.results.tables import Row

#: The settings that can distinguish jobs with the same label, and how each is written.
_SETTINGS: Final[Mapping[str, Callable[[Any], str]]] = {
    "threads": lambda threads: pluralize(threads, "thread"),
    "workers": lambda workers: pluralize(workers, "worker"),
    "max_batch_size": lambda size: f"batches of up to {size}",
    "max_wait_seconds": lambda seconds: f"waiting {milliseconds(seconds)}",
    "slo_percentile": lambda percentile: f"for p{percentile:g}",
    "slo_seconds": lambda seconds: f"within {milliseconds(seconds)}",
}


def labels_of(rows: Sequence[Row]) -> dict[str, str]:
    """Name jobs by their labels and the settings in which they differ, and by the key if that is not unique."""
    differing = _differing(rows)
    names = {
        row["job"]: " · ".join([group_label(row), *(_SETTINGS[name](row[name]) for name in differing)]) for row in rows
    }
    alike = Counter(names.values())
    return {job: name if alike[name] == 1 else f"{name} ({job})" for job, name in names.items()}


def _differing(rows: Sequence[Row]) -> list[str]:
    """Return the settings in which jobs differ."""
    return [name for name in _SETTINGS if len({row[name] for row in rows}) > 1]


def title_of(rows: Sequence[Row]) -> str:
    """Return the name of a choice: what all its jobs share."""
    first, differing = rows[0], _differing(rows)
    shared = {name: None if name in differing else first[name] for name in _SETTINGS}
    return (
        f"{first['family']} on {first['task']}, workload {first['workload']}{quota(first)}{load({**first, **shared})}"
    )
