"""What the ok trials of a sweep recorded, by job: read once, drawn many times."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from runner.results.tables import Tables

Row = Mapping[str, Any]
T = TypeVar("T")

QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99, 1.0)

#: Where the time of a trial went, but for the partner's turns.
TRIAL_SECONDS = (
    "wall_seconds",
    "partner_start_seconds",
    "box_seconds",
    "process_seconds",
    "import_seconds",
    "load_seconds",
    "first_call_seconds",
    "warmup_seconds",
    "elapsed_seconds",
)
_IDENTITY = ("job", "round", "role")
_OF_TRIALS = (*_IDENTITY, "latency_ratio", "counted", "disturbed_by", "partner_seconds", *TRIAL_SECONDS)


@dataclass(frozen=True)
class Recordings:
    """By job; what charts draw of few jobs only is looked up when it is asked for.

    Attributes:
        calls_seconds: the quantiles of all its timed calls, at QUANTILES; the partner's calls are not its own.
        memory: samples of resident memory of its first ok trial: phase, seconds, rss_bytes.
        trials: its ok trials, each with the columns that charts need, in the order of the rounds.
    """

    calls_seconds: Mapping[str, list[float]]
    memory: Mapping[str, pd.DataFrame]
    trials: dict[str, list[Row]]


def recordings(tables: Tables) -> Recordings:
    """Return them."""
    ok = tables.results.filter(pc.field("status") == "ok").select(_OF_TRIALS).sort_by("round")
    trials: dict[str, list[Row]] = {}
    for trial in ok.to_pylist():
        trials.setdefault(trial["job"], []).append(trial)
    firsts = [own[0] for own in trials.values()]
    calls = _ByJob(tables.samples, ["latency_seconds"], [trial for own in trials.values() for trial in own])
    memory = _ByJob(tables.memory, ["phase", "seconds", "rss_bytes"], firsts)
    return Recordings(
        _Made(calls, lambda own: [float(q) for q in np.quantile(own["latency_seconds"].to_numpy(), QUANTILES)]),
        _Made(memory, lambda own: own.to_pandas()),
        trials,
    )


class _ByJob(Mapping[str, Any]):
    """The rows of a table, by job, that belong to some trials; of its columns those that are named."""

    def __init__(self, table: Any, columns: Sequence[str], trials: Sequence[Row]) -> None:
        self._table = table.select(columns).combine_chunks()  # from thousands of chunks, each look-up would copy all
        places = {job: place for place, job in enumerate(dict.fromkeys(trial["job"] for trial in trials))}
        roles = {role: place for place, role in enumerate(sorted({trial["role"] for trial in trials}))}
        most = max((trial["round"] for trial in trials), default=0) + 1
        wanted = [(places[t["job"]] * len(roles) + roles[t["role"]]) * most + t["round"] for t in trials]
        job, role = (_places(table[name], list(known)) for name, known in (("job", places), ("role", roles)))
        round_ = table["round"].to_numpy()
        own = np.flatnonzero((job >= 0) & (role >= 0) & (round_ < most))
        own = own[np.isin((job[own] * len(roles) + role[own]) * most + round_[own], wanted)]
        order = own[np.argsort(job[own], kind="stable")]
        bounds = np.searchsorted(job[order], np.arange(len(places) + 1))
        spans = {name: order[slice(*bounds[place : place + 2])] for name, place in places.items()}
        self._rows = {name: rows for name, rows in spans.items() if len(rows)}

    def __getitem__(self, job: str) -> Any:
        return self._table.take(self._rows[job])

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, job: object) -> bool:
        return job in self._rows


class _Made(Mapping[str, T], Generic[T]):
    """What is made of each value of another mapping, when it is asked for."""

    def __init__(self, of: Mapping[str, Any], make: Callable[[Any], T]) -> None:
        self._of, self._make = of, make

    def __getitem__(self, key: str) -> T:
        return self._make(self._of[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._of)

    def __len__(self) -> int:
        return len(self._of)

    def __contains__(self, key: object) -> bool:
        return key in self._of  # the inherited one would make it


def _places(column: Any, known: Sequence[str]) -> np.ndarray:
    """Return the place of each value among the known ones, −1 for others."""
    found: np.ndarray = pc.fill_null(pc.index_in(column, pa.array(known, pa.string())), -1).to_numpy().astype(np.int64)
    return found
