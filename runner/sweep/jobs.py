"""The plan of a sweep: its jobs, the baseline of each, and the trials in the order they run. Pure functions."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from runner.config.schema import Config, Role
from runner.errors import UserError, did_you_mean
from runner.store.artifacts import digest

_NOT_IDENTITY = (
    *("grid", "measure", "metrics", "slots", "store", "downloads", "prepare_timeout_seconds", "control_texts"),
    *("round", "position", "role", "baseline"),
)
_KEY = re.compile(r"[+~]{0,2}[A-Za-z][\w./@-]*")


@dataclass(frozen=True)
class Job:
    """One point of the grid.

    Attributes:
        key: see `job_key`.
        overrides: make Hydra compose it.
        cfg: what it composes to.
        config: the same as plain values.
    """

    key: str
    overrides: tuple[str, ...]
    cfg: Config
    config: dict[str, Any]

    @cached_property
    def block(self) -> tuple[str, ...]:
        """Return what the jobs share that are compared with one baseline."""
        config = self.config
        conditions = digest([config[part] for part in ("task", "workload", "threads", "isolation")])
        return config["model"]["family"], conditions


@dataclass(frozen=True)
class Trial:
    """One planned measurement of a job: its place within the round, and the job it is held against."""

    job: str
    round: int
    position: int
    role: Role
    baseline: str | None

    @property
    def name(self) -> str:
        """Return the name of its folder."""
        return f"{self.job}-r{self.round}-{self.role.value}"

    @property
    def block(self) -> str:
        """Return the key of the jobs that it is compared with: its baseline's, or its own."""
        return self.baseline or self.job

    @property
    def is_alone(self) -> bool:
        """Return whether it belongs to a pair of the baseline that is measured while no other slot is at work."""
        return self.role in (Role.alone_first, Role.alone_last)

    def record(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"job": self.job, "round": self.round, "position": self.position, "role": self.role.value}


def job_key(config: dict[str, Any]) -> str:
    """Return a readable key, unique by the composed config less what does not make another job.

    Args:
        config: the composed config as plain values. The image is not part of it: two sweeps on two images can be
            compared.
    """
    identity = {key: value for key, value in config.items() if key not in _NOT_IDENTITY}
    identity["isolation"] = {key: value for key, value in config["isolation"].items() if key != "image"}
    names = [str(config[part]["name"]) for part in ("model", "technique", "task", "workload")]
    slug = "_".join(re.sub(r"[^A-Za-z0-9.-]+", "-", name)[:40].strip(".-") for name in names)
    return f"{slug}_t{config['threads']}_{digest(identity)[:8]}"


def is_excluded(config: dict[str, Any], rules: list[dict[str, Any]]) -> bool:
    """Return whether a job matches a rule: every key of it has the given value, or one of a list of values.

    Raises:
        UserError: if a rule names a key that no config has.
    """
    return any(all(matches(config, key, wanted, "grid.exclude") for key, wanted in rule.items()) for rule in rules)


def matches(config: dict[str, Any], key: str, wanted: Any, where: str) -> bool:
    """Return whether a job's key has the wanted value, or one of a list of values; a group's value is its choice.

    Raises:
        UserError: if no config has such a key; it names `where`.
    """
    value: Any = config
    for part in key.split("."):
        if not isinstance(value, dict) or part not in value:
            allowed = value if isinstance(value, dict) else []
            raise UserError(f"{where}: there is no key '{key}' in a job. {did_you_mean(part, allowed)}")
        value = value[part]
    if isinstance(value, dict):
        value = value.get("name")  # `technique: onnx` means the group's choice, as it does elsewhere in a grid
    return value in (wanted if isinstance(wanted, list) else [wanted])


def find_baselines(jobs: list[Job], technique: str) -> dict[str, str | None]:
    """Return the baseline job of each job, None where the block has none.

    The baseline is the family's own model (or, without it, the block's first model) with `technique`.
    """
    found: dict[str, str | None] = {}
    for block in blocks(jobs):
        candidates = [job for job in block if job.config["technique"]["name"] == technique]
        family = block[0].config["model"]["family"]
        own = [job for job in candidates if job.config["model"]["name"] == family]
        baseline = next(iter(own or candidates), None)
        found |= {job.key: baseline.key if baseline else None for job in block}
    return found


def blocks(jobs: list[Job]) -> list[list[Job]]:
    """Group the jobs that share a baseline, in the order in which they came."""
    grouped: dict[tuple[str, ...], list[Job]] = {}
    for job in jobs:
        grouped.setdefault(job.block, []).append(job)
    return list(grouped.values())


def order_round(jobs: list[Job], baselines: dict[str, str | None], number: int, seed: int) -> list[Trial]:
    """Return the trials of one round in the order in which they run: its own, whatever other rounds there are.

    A round runs each block of jobs by itself, since its baseline's box stays open as the partner of all of them: its
    baseline first, its variants, its baseline last. Blocks, and the variants in each, come in a fresh random order.
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
    return [Trial(job, number, position, role, baselines[job]) for position, (job, role) in enumerate(places)]


def alone_pairs(trials: list[Trial]) -> list[Trial]:
    """Return a pair of each baseline of a round, to be measured alone; their places come after the round's."""
    baselines = [trial.job for trial in trials if trial.role is Role.baseline_first]
    places = [(job, role) for job in baselines for role in (Role.alone_first, Role.alone_last)]
    return [
        Trial(job, trials[0].round, position, role, job) for position, (job, role) in enumerate(places, len(trials))
    ]


def override_line(key: str, value: Any, where: str) -> str:
    """Return one entry of a sub-grid as a Hydra override; a list becomes a choice sweep.

    Raises:
        UserError: for a key that is none of a job's, or a value that Hydra would not read as one value or a list of
            values.
    """
    if not _KEY.fullmatch(key) or key.lstrip("+~").startswith("hydra"):
        raise UserError(f"{where}: '{key}' is no key of a job. Hydra's own are set on the command line.")
    values = value if isinstance(value, list) else [value]
    for one in values:
        if isinstance(one, list | dict):
            raise UserError(
                f"{where}.{key}: {one!r} is not one value. Write one value, or a list of plain values, "
                f"such as {key}: [a, b]."
            )
    if not values:
        raise UserError(f"{where}.{key} is an empty list, so it would give no job. Name a value or remove the key.")
    return f"{key}={','.join(_quoted(one) for one in values)}"


def _quoted(value: Any) -> str:
    """Return a value in Hydra's override grammar."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float) or re.fullmatch(r"[\w.+-]+(?:/[\w.+-]+)*", str(value)):
        return str(value)
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"
