"""plan.json as types: what a sweep is about to measure, and in which order.

The sweep writes it, and everybody else reads it here: trials, collecting, the live report, a search, a cluster's nodes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import Enum
from functools import cached_property, lru_cache
from typing import Any

import msgspec

from runner.config.quality import QualityConfig
from runner.errors import UserError
from runner.store.sweep_folder import SCHEMA, SweepFolder


class Role(Enum):
    """What a trial stands for within its round.

    See runner/sweep/slots for the pairs that are measured alone. A cold start begins with an empty page cache.
    """

    variant = "variant"
    baseline_first = "baseline-first"
    baseline_last = "baseline-last"
    alone_first = "alone-first"
    alone_last = "alone-last"
    cold_start = "cold-start"

    @property
    def is_alone(self) -> bool:
        """Return whether it runs while no other slot is at work. Then no ratio and no median of a round includes it."""
        return self in (Role.alone_first, Role.alone_last, Role.cold_start)


class JobRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One job of a sweep, as tables and reports name it.

    Attributes:
        job: its key.
        baseline: the key of the job that it is compared with, which can be itself; None if there is none.
        quota_cpus: the CPU quota of its boxes, in CPUs; None if there is none.
        load: the name of its open load; None if the load is closed.
        workers, max_batch_size, max_wait_seconds, slo_percentile, slo_seconds: of the open load, as tables have them.
        cpu: the CPU model that measured it, where a cluster's nodes have several; see runner/results/cpus.py.
        measured_as: the key that its trials were measured under, where `cpu` is set.
    """

    job: str
    model: str
    technique: str
    task: str
    workload: str
    family: str
    weights: str
    threads: int
    isolation: str
    baseline: str | None
    quota_cpus: float | None = None
    load: str | None = None
    workers: int | None = None
    max_batch_size: int | None = None
    max_wait_seconds: float | None = None
    slo_percentile: float | None = None
    slo_seconds: float | None = None
    cpu: str | None = None
    measured_as: str | None = None

    @property
    def file_key(self) -> str:
        """Return the key that its files are named by."""
        return self.measured_as or self.job


class TrialSpec(msgspec.Struct, frozen=True):
    """One planned measurement of a job.

    Attributes:
        job: the key of the job.
        round: from 0.
        position: its place within the round.
        role: what it stands for.
        baseline: the key of the job that it is compared with; None if there is none.
    """

    job: str
    round: int
    position: int
    role: Role
    baseline: str | None

    @property
    def name(self) -> str:
        """Return its name, which is also its folder's."""
        return trial_name(self.job, self.round, self.role.value)

    @property
    def block(self) -> str:
        """Return the name of the jobs that are compared with one another; see `block_name`."""
        return block_name(self.job, self.baseline)

    @property
    def unit(self) -> str:
        """Return the name of what a node or a slot measures as a whole; see `unit_name`."""
        return unit_name(self.block, self.round)

    @property
    def is_alone(self) -> bool:
        """Return whether it is measured while no other slot is at work."""
        return self.role.is_alone

    def columns(self) -> dict[str, Any]:
        """Return what the table of results says of it."""
        return {"job": self.job, "round": self.round, "position": self.position, "role": self.role.value}


def trial_name(job: str, round_: int, role: str) -> str:
    """Return the name of a trial. No code parses it: plan.json holds its parts."""
    return f"{job}-r{round_}-{role}"


def unit_name(block: str, round_: int) -> str:
    """Return the name of a round of a block."""
    return f"{block}-r{round_}"


def block_name(job: str, baseline: str | None) -> str:
    """Return the name of a block, which is all jobs that share a baseline: the baseline's key, or the job's own."""
    return baseline or job


class PlanRecord(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What plan.json holds.

    Attributes:
        schema: version of the JSON files.
        sweep: name of the grid.
        overrides: those of the command line, without Hydra's own.
        created_at: when the sweep was started, or last continued.
        grid, seed, metrics, measure: from the config.
        control_texts: how many texts are compared with transformers' own predictions; None if that is not known.
        quality: when the quality of a variant counts as equivalent to its baseline's.
        isolation: the kind of all boxes.
        isolation_note: why the boxes isolate less than Docker's do; None if they do not.
        slots: how many rounds are measured at once.
        jobs: all points of the grid, baselines included.
        trials: all that are planned so far, in their order.
        waterfalls: keys of jobs in a row; see runner/sweep/waterfall.py.
        environment: see runner/machine/provenance.py, with the ids of the image and of its base.
    """

    schema: int
    sweep: str
    overrides: list[str]
    created_at: str | None = None
    grid: dict[str, Any]
    seed: int
    metrics: list[str] = []
    control_texts: int | None = None
    quality: QualityConfig = msgspec.field(default_factory=QualityConfig)
    isolation: str
    isolation_note: str | None = None
    measure: dict[str, Any]
    slots: int = 1
    jobs: list[JobRecord]
    trials: list[TrialSpec]
    waterfalls: list[list[str]] = []
    environment: dict[str, Any]

    def columns_of_jobs(self) -> dict[str, dict[str, Any]]:
        """Return what tables say of each job, by its key."""
        return {job.job: msgspec.structs.asdict(job) for job in self.jobs}

    @cached_property
    def job_of(self) -> dict[str, JobRecord]:
        """The jobs by their keys."""
        return {job.job: job for job in self.jobs}

    @cached_property
    def place_of(self) -> dict[str, int]:
        """The place of each trial in the plan, by its name."""
        return {trial.name: place for place, trial in enumerate(self.trials)}

    def trial(self, name: str) -> TrialSpec:
        """Return a trial by its name.

        Raises:
            UserError: if there is no such trial.
        """
        if name not in self.place_of:
            raise UserError(f"trial is '{name}', but plan.json has no trial of that name. Sweeps set it themselves.")
        return self.trials[self.place_of[name]]

    def named(self, names: Iterable[str]) -> list[TrialSpec]:
        """Return trials by their names; see `trial`."""
        return [self.trial(name) for name in names]


def write_plan(folder: SweepFolder, plan: PlanRecord) -> None:
    """Write plan.json."""
    folder.write(folder.plan, json.dumps(msgspec.to_builtins(plan), indent=1))  # a limit can be infinite


def read_plan(folder: SweepFolder) -> PlanRecord:
    """Read plan.json.

    Raises:
        UserError: if there is none, or none that this version can read.
    """
    path = folder.plan
    try:
        plan = _parse(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{path} does not exist. Give the folder of a sweep, such as outputs/demo.") from None
    except msgspec.ValidationError as error:
        raise UserError(
            f"{path} is not a plan of schema {SCHEMA} ({error}). Run the sweep again to write it anew."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read ({error}). Run the sweep again to write it anew.") from None
    if plan.schema != SCHEMA:
        raise UserError(
            f"{path} is a plan of schema {plan.schema}, not {SCHEMA}. Run the sweep again to write it anew."
        )
    return plan


def _parse(content: bytes) -> PlanRecord:
    """Return the content of a plan.json. A limit can be Infinity, which json reads and msgspec rejects."""
    try:
        return msgspec.json.decode(content, type=PlanRecord)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        return msgspec.convert(json.loads(content), PlanRecord)


def current_plan(folder: SweepFolder) -> PlanRecord:
    """Return the current plan.json. It is read again only if it has changed, since 10,000 jobs take long to read.

    Raises:
        UserError: see `read_plan`.
    """
    try:
        status = folder.plan.stat()
    except OSError:
        return read_plan(folder)
    return _plan_as_of(folder, status.st_ino, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=1)
def _plan_as_of(folder: SweepFolder, *version: int) -> PlanRecord:
    return read_plan(folder)
