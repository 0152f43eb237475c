"""Read what a search for a configuration has measured so far, from the tables of its sweeps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from runner.recommend.capacity import Capacity, measured_capacity
from runner.recommend.queueing import Calls, growth, measured_calls
from runner.results.tables import Row, Tables
from runner.sweep.serving.configuration import Configuration, Variant, configuration_of

BATCHES = "batches"  # the name of the workload whose calls have several requests
_OF_TRIALS = ["job", "round", "role", "status", "included", "capacity_per_second"]
_FAILED: Row = {"round": 0, "capacity_per_second": 0.0}


@dataclass(frozen=True)
class Measured:
    """The measurements of variants and configurations so far.

    Attributes:
        calls: the calls of each variant with one request each, and how much longer they take with further requests.
        failed: the variants whose calls could not be measured.
        batched: the variants for which calls with several requests were tried.
        capacities: the capacity of each configuration. It is 0 if the configuration failed.
        inaccurate: the techniques that seem to lose more of the baseline's score than the margin of the quality.
    """

    calls: Mapping[Variant, Calls] = field(default_factory=dict)
    failed: frozenset[Variant] = frozenset()
    batched: frozenset[Variant] = frozenset()
    capacities: Mapping[Configuration, Capacity] = field(default_factory=dict)
    inaccurate: frozenset[str] = frozenset()


def measured(tables: Tables) -> Measured:
    """Return the measurements in the tables. A job whose trials are all missing counts as not measured."""
    trials: dict[str, list[Row]] = defaultdict(list)
    for trial in tables.results.select(_OF_TRIALS).to_pylist():
        trials[trial["job"]].append(trial)
    rows = [row for row in tables.jobs if row["trials_missing"] < row["trials_planned"]]
    closed = [row for row in rows if row["load"] is None]
    single = {row["job"]: row for row in closed if row["workload"] != BATCHES}
    batched = {_variant(row): row for row in closed if row["workload"] == BATCHES}
    calls = {}
    for job, own in measured_calls(tables, single).items():
        batch = batched.get(_variant(single[job]))
        calls[_variant(single[job])] = _with_growth(own, single[job], batch) if batch else own
    return Measured(
        calls=calls,
        failed=frozenset(map(_variant, single.values())) - calls.keys(),
        batched=frozenset(batched),
        capacities=dict(_capacity(row, trials[row["job"]]) for row in rows if row["load"] is not None),
        inaccurate=_inaccurate(closed),
    )


def _with_growth(calls: Calls, single: Row, batch: Row) -> Calls:
    """Return calls with their growth by further requests, or unchanged if the calls with several requests failed."""
    if not batch["latency_p50_seconds"]:
        return calls
    return replace(
        calls, growth=growth(batch["latency_p50_seconds"], single["latency_p50_seconds"], batch["batch_size"])
    )


def _variant(row: Row) -> Variant:
    return Variant(row["technique"], row["threads"])


def _capacity(row: Row, trials: Sequence[Row]) -> tuple[Configuration, Capacity]:
    known = [trial for trial in trials if trial["status"] == "ok" and trial["included"]]
    capacity = measured_capacity(row, known) or measured_capacity(row, [_FAILED])
    assert capacity is not None
    return configuration_of(row["technique"], capacity), capacity


def _inaccurate(rows: Sequence[Row]) -> frozenset[str]:
    """Return the techniques that seem to lose more of the score than the margin of the quality."""
    tested = [row for row in rows if row["quality_verdict"] is not None]
    return frozenset(
        row["technique"] for row in tested if row[f"{row['quality_measure']}_difference"] < -row["quality_margin"]
    )
