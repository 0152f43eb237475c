"""Define the plan of a sweep in memory. `runner.results.records.plan` defines its record in plan.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from runner.config.schema import Config, IsolationConfig
from runner.isolation.box import Box
from runner.isolation.choose import make_box
from runner.machine import provenance
from runner.results.records.plan import JobRecord, PlanRecord, TrialSpec, block_name
from runner.store.artifacts import digest
from runner.store.sweep_folder import SCHEMA
from runner.sweep.jobs import Job, alone_pairs, cold_starts, load_columns, order_round
from runner.sweep.slots.slot import Slot


@dataclass(frozen=True)
class Plan:
    """The jobs of a sweep, and how they are measured.

    Attributes:
        name: the name of the grid.
        config: the config as it is composed without the overrides of a job.
        isolation_note: a line to print if no Docker engine answers and boxes are processes.
        jobs: all points of the grid, including the baselines.
        baselines: for each job's key, the key of its baseline, or None.
        overrides: the overrides of the command line, without Hydra's own.
        waterfalls: for each waterfall, the keys of its jobs in order; see runner/sweep/waterfall.py.
        slots: the slots in which rounds are measured at once. The list is empty if rounds are measured one by one.
        slots_note: a line to print about the slots.
    """

    name: str
    config: Config
    isolation_note: str | None
    jobs: list[Job]
    baselines: dict[str, str | None]
    overrides: list[str]
    waterfalls: list[list[str]]
    slots: list[Slot] = field(default_factory=list)
    slots_note: str | None = None

    @property
    def isolation(self) -> str:
        """Return the kind of box of all jobs."""
        return ", ".join(sorted({job.config["isolation"]["kind"] for job in self.jobs}))

    @property
    def blocks(self) -> list[str]:
        """Return the names of the blocks of jobs, in the order of the jobs."""
        return list(dict.fromkeys(block_name(job.key, self.baselines[job.key]) for job in self.jobs))

    def round(self, number: int) -> list[TrialSpec]:
        """Return the trials of a round in order.

        With slots, the first `measure.rounds` rounds have pairs alone. The first `measure.cold_starts` rounds end with
        a cold start of each job.
        """
        measure = self.config.measure
        trials = order_round(self.jobs, self.baselines, number, self.config.seed)
        if self.slots and number < measure.rounds:
            trials += alone_pairs(trials)
        return trials + cold_starts(trials) if number < measure.cold_starts else trials

    def with_images(self) -> tuple[Plan, Box]:
        """Return the plan with the image's id in each job, and the box of the first job.

        The id makes all trials of a job run on the same image.

        Raises:
            UserError, MachineError: if a box cannot be made.
        """
        by_isolation: dict[str, tuple[Box, IsolationConfig, dict[str, Any]]] = {}
        jobs = []
        for job in self.jobs:
            isolation, plain = job.cfg.isolation, job.config["isolation"]
            if (key := digest(plain)) not in by_isolation:
                box = make_box(isolation)
                by_isolation[key] = box, replace(isolation, image=box.image_id), plain | {"image": box.image_id}
            _, isolation, plain = by_isolation[key]
            cfg = replace(job.cfg, isolation=isolation)
            jobs.append(replace(job, cfg=cfg, config=job.config | {"isolation": plain}))
        return replace(self, jobs=jobs), next(iter(by_isolation.values()))[0]

    def record(self, trials: Sequence[TrialSpec], box: Box) -> PlanRecord:
        """Return the plan's record for plan.json.

        Args:
            trials: the trials that are planned so far.
            box: the first job's box.
        """
        return PlanRecord(
            schema=SCHEMA,
            sweep=self.name,
            overrides=self.overrides,
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            grid=asdict(self.config.grid),
            seed=self.config.seed,
            metrics=self.config.metrics,
            control_texts=self.config.control_texts,
            quality=self.config.quality,
            isolation=self.isolation,
            isolation_note=self.isolation_note,
            measure=asdict(self.config.measure),
            slots=len(self.slots) or 1,
            jobs=[_job_record(job, self.baselines[job.key]) for job in self.jobs],
            trials=list(trials),
            waterfalls=self.waterfalls,
            environment=provenance.environment() | {"image_id": box.image_id, "base_id": box.base_id},
        )


def _job_record(job: Job, baseline: str | None) -> JobRecord:
    config, load = job.config, job.cfg.load
    return JobRecord(
        job=job.key,
        **{part: config[part]["name"] for part in ("model", "technique", "task", "workload")},
        family=config["model"]["family"],
        weights=config["model"]["weights"],
        threads=config["threads"],
        isolation=config["isolation"]["kind"],
        quota_cpus=config["isolation"]["cpus"],
        baseline=baseline,
        **(load_columns(load) if load.is_open else {}),
    )
