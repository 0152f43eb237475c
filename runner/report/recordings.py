"""What the ok trials of a sweep recorded, by job: read once, drawn many times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from runner.results.tables import Tables

Row = Mapping[str, Any]

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
    """By job.

    Attributes:
        calls_seconds: the quantiles of all its timed calls, at QUANTILES; the partner's calls are not its own.
        memory: samples of resident memory of its first ok trial: phase, seconds, rss_bytes.
        trials: its ok trials, each with the columns that charts need, in the order of the rounds.
    """

    calls_seconds: dict[str, list[float]]
    memory: dict[str, pd.DataFrame]
    trials: dict[str, list[Row]]


def recordings(tables: Tables) -> Recordings:
    """Return them."""
    ok = tables.results.filter(pc.field("status") == "ok").select(_OF_TRIALS).sort_by("round")
    trials: dict[str, list[Row]] = {}
    for trial in ok.to_pylist():
        trials.setdefault(trial["job"], []).append(trial)
    identity = ok.select(_IDENTITY).to_pandas()
    calls = tables.samples.select([*_IDENTITY, "latency_seconds"]).to_pandas().merge(identity)
    memory = tables.memory.to_pandas().merge(identity.drop_duplicates("job"))
    return Recordings(
        {str(job): np.quantile(own, QUANTILES).tolist() for job, own in calls.groupby("job")["latency_seconds"]},
        {str(job): own for job, own in memory.groupby("job", sort=False)},
        trials,
    )
