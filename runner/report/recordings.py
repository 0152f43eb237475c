"""Read what the ok trials of a sweep recorded, by job. It is read once and drawn many times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from runner.report.charts.chart import MAX_LINES, MAX_ROWS, most
from runner.report.view import Group, Variant
from runner.results.tables import Row, Tables, rows_by_job, tables_by_job

QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99, 1.0)

#: Where the time of a trial went, except for the partner's turns.
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
_OF_TRIALS = (*_IDENTITY, "status", "latency_ratio", "included", "disturbed_by", "partner_seconds", *TRIAL_SECONDS)


@dataclass(frozen=True)
class Recordings:
    """The recordings by job. Calls and memory are only those of the jobs that charts show.

    Attributes:
        calls_seconds: the quantiles of the job's timed calls, at QUANTILES. Calls of the partner are left out.
        memory: samples of resident memory of the job's first ok trial: phase, seconds, rss_bytes.
        probes: the probes of the job's service at a rate whose latency at the objective's percentile is finite.
        trials: the job's ok trials in the order of the rounds, with the columns that charts need.
    """

    calls_seconds: Mapping[str, list[float]]
    memory: Mapping[str, pd.DataFrame]
    probes: Mapping[str, Sequence[Row]]
    trials: Mapping[str, Sequence[Row]]


def ok_trials(tables: Tables) -> dict[str, list[dict[str, Any]]]:
    """Return the ok trials by job; see `Recordings`."""
    ok = tables.results.select(_OF_TRIALS).filter(pc.field("status") == "ok").sort_by("round")
    return dict(rows_by_job(ok))


def recordings(tables: Tables, groups: Sequence[Group]) -> Recordings:
    """Return what the charts of these groups draw. The tables may be too long to be held in memory."""
    trials = ok_trials(tables)
    in_rows, in_lines = (
        {v.row["job"] for group in groups for v in most(group, _measured(group, trials), number)[0]}
        for number in (MAX_ROWS, MAX_LINES)
    )
    calls = tables.samples.read([*_IDENTITY, "latency_seconds"], in_rows)
    memory = tables.memory.read([*_IDENTITY, "phase", "seconds", "rss_bytes"], in_lines)
    probes = tables.load.read([*_IDENTITY, "asked_per_second", "slo_latency_seconds"], in_lines)
    probes = probes.filter(pc.field("asked_per_second").is_valid() & pc.field("slo_latency_seconds").is_valid())
    calls_of = {job: _recorded_by(trials[job], own)["latency_seconds"] for job, own in tables_by_job(calls)}
    memory_of = {job: _recorded_by(trials[job][:1], own) for job, own in tables_by_job(memory)}
    return Recordings(
        {job: [float(q) for q in np.quantile(own, QUANTILES)] for job, own in calls_of.items() if len(own)},
        {job: own.select(["phase", "seconds", "rss_bytes"]).to_pandas() for job, own in memory_of.items() if len(own)},
        {job: _recorded_by(trials[job], own).to_pylist() for job, own in tables_by_job(probes)},
        trials,
    )


def _measured(group: Group, trials: Mapping[str, Sequence[Row]]) -> list[Variant]:
    return [variant for variant in group.variants if variant.row["job"] in trials]


def _recorded_by(trials: Sequence[Row], own: Any) -> Any:
    """Return the rows of a job that belong to the given trials."""
    known = {(trial["round"], trial["role"]) for trial in trials}
    rows = zip(own["round"].to_pylist(), own["role"].to_pylist(), strict=True)
    return own.filter(pa.array([row in known for row in rows], pa.bool_()))
