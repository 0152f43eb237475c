"""The record of a trial: `trial.json`, and a row of results.parquet."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, Final, Literal, get_args

from runner.results.records.job import ArtifactFacts, ArtifactSize, Assembled, JobIdentity, Precision
from runner.results.records.load import Probe
from runner.results.records.measured import Durations, Figures, ReadBack, Series
from runner.results.records.plan import Role
from runner.store.sweep_folder import SCHEMA

Status = Literal["ok", "oom", "timeout", "crashed", "unfair", "wrong", "prepare-failed", "lost"]
STATUSES: Final[tuple[Status, ...]] = get_args(Status)
CAPACITY_REASON: Final = (
    "Why capacity_per_second is 0, or why it is less certain than others; null if there is nothing to say."
)
ROLES: Final = tuple(role.value for role in Role)
ALONE_ROLES: Final = tuple(role.value for role in Role if role.is_alone)


@dataclass(kw_only=True)
class Attempt:
    """Which trial of its job it is, how it went, and where."""

    seed: Annotated[int | None, "Seed of the sweep."] = None
    round: Annotated[int | None, "Number of the round, from 0. A round is one pass over all jobs."] = None
    position: Annotated[int | None, "Place of the trial within its round, from 0."] = None
    role: Annotated[str | None, f"Role of the trial in its round: one of {', '.join(ROLES)}."] = None
    baseline_job: Annotated[str | None, "Key of the baseline job, whose box took turns with this one."] = None
    status: Annotated[Status, f"How the trial ended: one of {', '.join(STATUSES)}."]
    error: Annotated[str | None, "Why the trial is not ok, in one line; null if it is."] = None
    log: Annotated[str | None, "Path of the trial's log, relative to the folder of the sweep."] = None
    node: Annotated[str | None, "Name of the cluster's node that ran the trial; null outside a cluster."] = None
    slot: Annotated[
        int | None, "Number of the slot that ran the trial, from 0; null unless rounds ran at the same time."
    ] = None
    beside: Annotated[
        int | None, "How many other slots were measuring when the trial began; null unless rounds ran at the same time."
    ] = None
    started_at: Annotated[str | None, "When the trial began, in ISO 8601, UTC."] = None


@dataclass(kw_only=True)
class Provenance:
    """What the trial was run with."""

    image_id: Annotated[str | None, "Id of the image that the box was made from."] = None
    base_id: Annotated[str | None, "Id of the base image of that image."] = None
    lock_sha256: Annotated[str | None, "SHA-256 of the lock file that the image was built from."] = None
    code_version: Annotated[str | None, "Version of Pinbox's code."] = None


@dataclass(kw_only=True)
class Rates:
    """How much a trial computed."""

    flops_per_call: Annotated[float | None, "Floating-point operations of a mean call, without padding."] = None
    padded_flops_per_call: Annotated[float | None, "Floating-point operations of a mean call, including padding."] = (
        None
    )
    flops_per_second: Annotated[float | None, "flops_per_call ÷ engine_mean_seconds."] = None
    padded_flops_per_second: Annotated[float | None, "padded_flops_per_call ÷ engine_mean_seconds."] = None
    peak_fraction: Annotated[
        float | None,
        "padded_flops_per_second ÷ the peak that was measured on this machine with as many threads, in this precision "
        "or in float32.",
    ] = None


@dataclass(kw_only=True)
class Rated:
    """How many requests a second the job answers as a service; null if the load was closed."""

    capacity_per_second: Annotated[
        float | None,
        "Highest rate of requests at which the service keeps the objective; 0 if no rate does, null if the load was "
        "closed.",
    ] = None
    offline_per_second: Annotated[
        float | None,
        "Rate at which the service answers requests that all arrive at once; null if the load was closed.",
    ] = None


@dataclass(kw_only=True)
class Measurements(ArtifactSize, Figures, Rates, Rated):
    """All that a trial measures. The summary holds the median of each field."""


MEASURED: Final = tuple(field.name for field in fields(Measurements))


@dataclass(kw_only=True)
class Comparison:
    """Values that are computed when all trials of a sweep are read; trial.json does not hold them."""

    partner_ratio: Annotated[
        float | None, "Latency ÷ the partner's latency on the same input; the median over the calls of all turns."
    ] = None
    partner_p90_ratio: Annotated[
        float | None, "latency_p90_seconds ÷ the 90th percentile of the partner's calls in the same turns."
    ] = None
    partner_p95_ratio: Annotated[float | None, "The same for the 95th percentile."] = None
    partner_p99_ratio: Annotated[float | None, "The same for the 99th percentile."] = None
    latency_ratio: Annotated[
        float | None, "partner_ratio ÷ the geometric mean of the partner_ratio of the round's two baselines."
    ] = None
    latency_p90_ratio: Annotated[float | None, "The same for partner_p90_ratio."] = None
    latency_p95_ratio: Annotated[float | None, "The same for partner_p95_ratio."] = None
    latency_p99_ratio: Annotated[float | None, "The same for partner_p99_ratio."] = None
    capacity_ratio: Annotated[
        float | None, "capacity_per_second ÷ the geometric mean of that of the round's two baselines."
    ] = None
    partner_engine_ratio: Annotated[float | None, "The same as partner_ratio, for the engine's own time."] = None
    engine_ratio: Annotated[float | None, "The same as latency_ratio, for the engine's own time."] = None
    turns: Annotated[int | None, "Number of turns that partner_ratio was computed from."] = None
    partner_latency_p50_seconds: Annotated[float | None, "Median time of the partner's calls in its turns."] = None
    disturbance: Annotated[
        float | None,
        "Worst sign of a disturbed machine, as a multiple of that sign's limit; above 1 the trial is disturbed.",
    ] = None
    disturbed_by: Annotated[str | None, "Name of that sign; null if it is within its limit."] = None
    included: Annotated[
        bool | None, "Whether medians and ratios include this round. A disturbed round is run again."
    ] = None


@dataclass(kw_only=True)
class TrialRecord(
    JobIdentity,
    Attempt,
    Durations,
    Provenance,
    ArtifactFacts,
    Measurements,
    Comparison,
    Precision,
    ReadBack,
    Series,
    Assembled,
):
    """One measurement of one job. The columns come in the order in which the parts are named here.

    Attributes:
        schema: version of the file.
        partner_latency_seconds: times of the partner's calls, by their number; None without a partner.
        probes: the probes of the open load; None if the load is closed.
        partner_tokenize_seconds: the part of each of these times that was spent on tokenizing the texts.
    """

    schema: int = SCHEMA
    capacity_reason: Annotated[str | None, CAPACITY_REASON] = None
    probes: list[Probe] | None = None
    partner_latency_seconds: list[float] | None = None
    partner_tokenize_seconds: list[float] | None = None
