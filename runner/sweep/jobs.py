"""Find the jobs of a sweep and their baselines, and order the trials of a round. Pure functions."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from runner.config.load import LoadConfig, LoadKind
from runner.config.schema import Config
from runner.errors import UserError, did_you_mean
from runner.results.records.plan import Role, TrialSpec
from runner.store.artifacts import digest

_NOT_IDENTITY = (
    "grid",
    "measure",
    "metrics",
    "quality",
    "slots",
    "store",
    "downloads",
    "prepare_timeout_seconds",
    "control_texts",
)


@dataclass(frozen=True)
class Job:
    """One point of the grid.

    Attributes:
        key: the job's key; see `job_key`.
        cfg: the job's config.
        config: the same config as plain values. Jobs share the objects of the parts that they have in common.
    """

    key: str
    cfg: Config
    config: dict[str, Any]

    @cached_property
    def conditions(self) -> tuple[str, ...]:
        """Return a key that is the same for all jobs that are compared with one baseline."""
        config = self.config
        conditions = [config[part] for part in ("task", "workload", "threads", "isolation")]
        return config["model"]["family"], digest([*conditions, open_load(config)])


def job_key(config: dict[str, Any]) -> str:
    """Return a readable key that identifies a job by its composed config.

    Settings that do not make another job are left out. The image is one of them, so that sweeps on two images can be
    compared.

    Args:
        config: the composed config as plain values.
    """
    identity = {key: value for key, value in config.items() if key not in (*_NOT_IDENTITY, "load")}
    if load := open_load(config):
        identity["load"] = load
    identity["isolation"] = {key: value for key, value in config["isolation"].items() if key != "image"}
    names = [str(config[part]["name"]) for part in ("model", "technique", "task", "workload")]
    slug = "_".join(re.sub(r"[^A-Za-z0-9.-]+", "-", name)[:40].strip(".-") for name in names)
    return f"{slug}_t{config['threads']}_{digest(identity)[:8]}"


def open_load(config: dict[str, Any]) -> dict[str, Any] | None:
    """Return the load of a job, or None if it is closed: nothing reads the settings of a closed load."""
    load: dict[str, Any] = config["load"]
    return load if load["kind"] == LoadKind.open.value else None


def load_columns(load: LoadConfig) -> dict[str, Any]:
    """Return the columns of the tables that describe a job's open load."""
    return {
        "load": load.name,
        "workers": load.workers,
        "max_batch_size": load.batching.max_batch_size,
        "max_wait_seconds": load.batching.max_wait_milliseconds / 1000,
        "slo_percentile": load.slo.percentile,
        "slo_seconds": load.slo.seconds,
    }


def is_excluded(config: dict[str, Any], rules: list[dict[str, Any]]) -> bool:
    """Return whether a job matches one of the rules. It matches a rule if it matches every key; see `matches`.

    Raises:
        UserError: if a rule names a key that no config has.
    """
    return any(all(matches(config, key, value, "grid.exclude") for key, value in rule.items()) for rule in rules)


def matches(config: dict[str, Any], key: str, expected: Any, where: str) -> bool:
    """Return whether a key of a job has the expected value. The value of a config group is the name of its choice.

    Args:
        config: the job's config as plain values.
        key: the key, with dots between its parts.
        expected: the value, or a list of allowed values.
        where: the place of the key, for the error message.

    Raises:
        UserError: if the config has no such key.
    """
    value: Any = config
    for part in key.split("."):
        if not isinstance(value, dict) or part not in value:
            allowed = value if isinstance(value, dict) else []
            raise UserError(f"{where}: there is no key '{key}' in a job. {did_you_mean(part, allowed)}")
        value = value[part]
    if isinstance(value, dict):
        value = value.get("name")  # `technique: onnx` names the group's choice, as it does elsewhere in a grid
    return value in (expected if isinstance(expected, list) else [expected])


def find_baselines(jobs: list[Job], technique: str | None) -> dict[str, str | None]:
    """Return the key of each job's baseline, or None if its block has no baseline.

    The baseline is the job that has `technique` and the model with the family's name. If there is no such job, the
    baseline is the first job of the block that has `technique`.
    """
    baselines: dict[str, str | None] = {}
    for block in blocks(jobs):
        candidates = [job for job in block if job.config["technique"]["name"] == technique]
        family = block[0].config["model"]["family"]
        family_jobs = [job for job in candidates if job.config["model"]["name"] == family]
        baseline = next(iter(family_jobs or candidates), None)
        baselines |= {job.key: baseline.key if baseline else None for job in block}
    return baselines


def blocks(jobs: list[Job]) -> list[list[Job]]:
    """Group the jobs that share a baseline. Jobs and groups keep their order."""
    grouped: dict[tuple[str, ...], list[Job]] = {}
    for job in jobs:
        grouped.setdefault(job.conditions, []).append(job)
    return list(grouped.values())


def order_round(jobs: list[Job], baselines: dict[str, str | None], number: int, seed: int) -> list[TrialSpec]:
    """Return the trials of one round in the order in which they run. The order does not depend on other rounds.

    The jobs of a block run one after the other, because the box of their baseline stays open as their partner. The
    baseline comes first, then the variants, then the baseline again. The order of the blocks, and of the variants in
    each block, is random and differs between rounds.
    """
    generator = random.Random(f"{seed}-{number}")
    shuffled = blocks(jobs)
    generator.shuffle(shuffled)
    places: list[tuple[str, Role]] = []
    for block in shuffled:
        baseline = baselines[block[0].key]
        variants = [(job.key, Role.variant) for job in block if job.key != baseline]
        generator.shuffle(variants)
        first = [(baseline, Role.baseline_first)] if baseline else []
        last = [(baseline, Role.baseline_last)] if baseline else []
        places += [*first, *variants, *last]
    return [TrialSpec(job, number, position, role, baselines[job]) for position, (job, role) in enumerate(places)]


def alone_pairs(trials: list[TrialSpec]) -> list[TrialSpec]:
    """Return two trials for each baseline of a round, to measure alone. Their places follow those of the round."""
    baselines = [trial.job for trial in trials if trial.role is Role.baseline_first]
    places = [(job, role) for job in baselines for role in (Role.alone_first, Role.alone_last)]
    return [
        TrialSpec(job, trials[0].round, position, role, job) for position, (job, role) in enumerate(places, len(trials))
    ]


def cold_starts(trials: list[TrialSpec]) -> list[TrialSpec]:
    """Return a cold start of each job of a round. Their places follow those of the round's trials."""
    jobs = {trial.job: trial.baseline for trial in trials}
    return [
        TrialSpec(job, trials[0].round, position, Role.cold_start, baseline)
        for position, (job, baseline) in enumerate(jobs.items(), len(trials))
    ]
