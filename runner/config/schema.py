"""The schema of conf/: one dataclass per config group, and the checks that need no machine.

Hydra merges the YAML into these classes, so an unknown key or a wrong type stops a run before anything starts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf

from runner.config.task_kinds import EMBEDDING, KINDS, MULTI_LABEL, SINGLE_LABEL, TOKENS
from runner.errors import UserError, did_you_mean

PRECISIONS = ("float32", "bfloat16", "int8")
_LONGEST_NAME = 100


class Weights(Enum):
    """Whether a model carries trained weights, or random ones of the same shape (then accuracy is null)."""

    trained = "trained"
    random = "random"


class SourceKind(Enum):
    """Where a model's files come from."""

    package = "package"
    folder = "folder"
    hub = "hub"


class Delimiter(Enum):
    """What is between the fields of a CSV file."""

    comma = "comma"
    semicolon = "semicolon"
    tab = "tab"
    pipe = "pipe"


class Padding(Enum):
    """How the texts of a batch are brought to one length."""

    longest = "longest"
    bucketed = "bucketed"
    max_length = "max_length"


class IsolationKind(Enum):
    """The kind of box: `auto` takes Docker when an engine answers, else a pinned process."""

    auto = "auto"
    docker = "docker"
    process = "process"


class Role(Enum):
    """What a trial stands for within its round; see runner/sweep/slots of those alone."""

    variant = "variant"
    baseline_first = "baseline-first"
    baseline_last = "baseline-last"
    alone_first = "alone-first"
    alone_last = "alone-last"


@dataclass
class PackageFile:
    """Files taken out of one pinned Python package: path in the archive to path in the model's folder."""

    requirement: str = MISSING  # as pip reads it, with its version: name==1.2
    sha256: str = MISSING  # of the archive
    files: dict[str, str] = field(default_factory=dict)  # path in the archive: path in the model's folder


@dataclass
class SourceConfig:
    """A package, a local folder or a hub id; only the keys of the chosen kind are read."""

    kind: SourceKind | None = None  # null: there are no trained weights, only random ones
    packages: list[PackageFile] = field(default_factory=list)  # when kind is package
    unzip: dict[str, str] = field(default_factory=dict)  # if the packages' files are, joined, a zip: what to take
    hub_id: str | None = None  # when kind is hub, such as google-bert/bert-base-uncased
    revision: str | None = None  # of it: a commit, so that the same files come again
    code: list[str] = field(default_factory=list)  # *.py that may lie beside the weights, by name: for your own steps

    def __post_init__(self) -> None:
        for name in self.code if isinstance(self.code, list) else []:
            if not re.fullmatch(r"\w[\w-]*\.py", str(name)):
                raise UserError(f"model.source.code names '{name}', but must name files: [modeling_own.py].")


@dataclass
class ModelConfig:
    """A model: where its files come from and the steps that make it a classifier of the task."""

    name: str = MISSING  # in tables and reports
    family: str = MISSING  # the model whose baseline technique is the baseline of all that share it
    weights: Weights = Weights.trained  # random ones have the same size and speed, and no accuracy
    source: SourceConfig = field(default_factory=SourceConfig)
    path: str | None = None  # the folder, when source.kind is folder
    steps: list[Any] = field(default_factory=list)  # with trained weights: from the source's files to a checkpoint
    shape: dict[str, Any] = field(default_factory=dict)  # with random weights: the fields of transformers' config

    def __post_init__(self) -> None:
        _check_name("model.name", self.name)
        _check_name("model.family", self.family)


@dataclass
class TechniqueConfig:
    """A named list of steps, and the engine that runs the result."""

    name: str = MISSING  # in tables and reports
    steps: list[Any] = field(default_factory=list)  # in order; see steps.md
    teacher: ModelConfig | None = None  # of the step distil; null is the job's model itself
    engine: str = MISSING  # that runs the result; it loads one format
    precision: str | None = None  # what the engine is meant to compute matrix products in; null is not checked

    def __post_init__(self) -> None:
        _check_name("technique.name", self.name)
        if self.precision not in (None, *PRECISIONS):
            raise UserError(
                f"technique.precision of '{self.name}' is '{self.precision}'. "
                + did_you_mean(str(self.precision), PRECISIONS)
            )


@dataclass
class TaskConfig:
    """The texts, their labels, and how they are split."""

    name: str = MISSING  # in tables and reports
    source: str = MISSING  # a module of runner/tasks, or of plugins/tasks
    kind: str = SINGLE_LABEL  # how it is evaluated: single-label, multi-label, embedding or tokens
    path: str | None = None  # a CSV, TSV, JSONL or Parquet file, when source is file; may be .gz, .zst or .zip
    encoding: str | None = None  # of that file, such as cp1252; null: its byte order mark says it, or it is UTF-8
    delimiter: Delimiter | None = None  # between the fields of that file; null: the one between the header's names
    hub_id: str | None = None  # of a data set of the Hugging Face hub, when source is hub: owner/name
    revision: str | None = None  # of that data set: a commit, 40 hexadecimal digits
    subset: str | None = None  # of that data set: the folder of its files, where it has several
    train_split: str | None = "train"  # of that data set; null: nothing to train on
    validation_split: str | None = "validation"  # of that data set; null: a tenth of the training texts
    test_split: str | None = "test"  # of that data set
    text_column: str = "text"  # of that file or data set
    text_pair_column: str | None = None  # of the second texts, where a model evaluates pairs
    label_column: str | None = "label"  # null if there are no labels
    labels: list[str] | None = None  # of that file or data set, in the order of the model's outputs; null: by name
    label_separator: str = "|"  # between the labels of a text that has several, where they are not a list

    def __post_init__(self) -> None:
        _check_name("task.name", self.name)
        if self.kind not in KINDS:
            raise UserError(f"task.kind of '{self.name}' is '{self.kind}'. {did_you_mean(self.kind, KINDS)}")
        if self.kind == MULTI_LABEL and self.label_column is None:
            raise UserError(
                f"task.kind of '{self.name}' is {MULTI_LABEL}, but task.label_column is null. Name the column; without "
                f"labels, take task.kind={SINGLE_LABEL}: then agreement is told."
            )
        if self.kind == EMBEDDING and self.label_column is not None:
            raise UserError(
                f"task.kind of '{self.name}' is {EMBEDDING}: vectors are evaluated by those of the baseline, and "
                "labels are not read. Say task.label_column=null."
            )
        if self.kind == TOKENS and self.text_pair_column is not None:
            raise UserError(
                f"task.kind of '{self.name}' is {TOKENS}, and no model tags pairs of texts. Say "
                "task.text_pair_column=null."
            )
        if self.labels is not None and (len(set(self.labels)) != len(self.labels) or not self.labels):
            raise UserError(
                f"task.labels of '{self.name}' is {self.labels}, but must name each label once, in the order of the "
                "model's outputs."
            )
        if not self.label_separator:
            raise UserError(f"task.label_separator of '{self.name}' is empty. Take a character that no label has.")


@dataclass
class WorkloadConfig:
    """How texts become calls: `batch_size` texts a call, padded to one length.

    That is the longest of the call, the next multiple of `bucket` tokens, or always `max_length`.
    """

    name: str = MISSING  # in tables and reports
    batch_size: int = 1  # texts a call
    padding: Padding = Padding.longest  # to the longest of the call, to a multiple of bucket, or to max_length
    max_length: int = 128  # tokens a text is cut to
    bucket: int | None = None  # tokens, with padding=bucketed

    def __post_init__(self) -> None:
        _check_name("workload.name", self.name)
        _at_least("workload.batch_size", self.batch_size, 1)
        _at_least("workload.max_length", self.max_length, 2)
        if (self.bucket is not None) != (self.padding == Padding.bucketed):
            raise UserError(
                f"workload '{self.name}': padding is {getattr(self.padding, 'value', self.padding)} and bucket is "
                f"{self.bucket or 'not set'}. bucket goes with padding=bucketed: set both, or neither."
            )
        if self.bucket is not None:
            _at_least("workload.bucket", self.bucket, 1)


@dataclass
class DisturbanceLimits:
    """Signs of a disturbed machine around a trial's timed calls; a round in which one is crossed is run again."""

    reference_ratio: float = 2.5  # time of the reference kernel ÷ its median in the sweep
    steal_fraction: float = 0.1  # of the time of the timed calls, taken by the hypervisor
    throttled_periods: float = 0.0  # of the control group's CPU quota
    switches_per_second: float = 200.0  # involuntary context switches
    wall_per_cpu: float = 1.25  # wall time ÷ CPU time, with one thread

    def __post_init__(self) -> None:
        for name, limit in vars(self).items():
            _at_least(f"measure.limits.{name}", limit, 0)


@dataclass
class MeasureConfig:
    """How much is measured: rounds of a sweep, and calls of a trial."""

    name: str = MISSING  # in tables and reports
    rounds: int = 3  # undisturbed ones
    reruns: int = 2  # at most so many rounds more, for disturbed ones
    half_width: float | None = None  # more rounds until every interval is this narrow, as a fraction of the ratio
    max_rounds: int = 20  # at most so many, with half_width
    budget_seconds: float | None = None  # no further round when the trials have taken this long
    batches: int = 32  # distinct inputs; a trial always runs whole passes over all of them
    timed_seconds: float = 2.0  # of a trial's box and its partner together; at least one pass
    turn_seconds: float = 0.04  # of the slower of the two; at least one call
    warmup_seconds: float = 0.5  # at most; it ends when calls no longer get faster
    peaks: bool = True  # measure first, once a machine, how fast it can be: some 10 seconds per number of threads
    limits: DisturbanceLimits = field(default_factory=DisturbanceLimits)

    def __post_init__(self) -> None:
        for name, least in {"rounds": 1, "reruns": 0, "max_rounds": self.rounds, "batches": 1}.items():
            _at_least(f"measure.{name}", getattr(self, name), least)
        for name in ("half_width", "budget_seconds", "timed_seconds", "turn_seconds", "warmup_seconds"):
            if (value := getattr(self, name)) is not None:
                _at_least(f"measure.{name}", value, 0)


@dataclass
class IsolationConfig:
    """The box of a trial. `memory` is a size such as 4GiB, swap included (there is none)."""

    kind: IsolationKind = MISSING  # auto takes docker if an engine answers, else process
    memory: str = "4GiB"  # of the box, swap included
    pids: int = 256  # processes and threads of the box, at most
    timeout_seconds: float = 600.0  # of a trial
    image: str | None = None  # an image id; null takes the image that `make image` built for this code

    def __post_init__(self) -> None:
        _at_least("isolation.pids", self.pids, 16)
        _at_least("isolation.timeout_seconds", self.timeout_seconds, 1)


@dataclass
class GridConfig:
    """What a sweep expands: a union of sub-grids, less the jobs that match an exclusion."""

    union: list[dict[str, Any]] = field(default_factory=list)  # sub-grids; a list in one is swept over
    exclude: list[dict[str, Any]] = field(default_factory=list)  # jobs in which all keys of an entry match go
    baseline: str = "torch-eager"  # the technique that ratios are taken against
    waterfall: list[dict[str, Any]] = field(default_factory=list)  # jobs in a row, each a step from the one before


@dataclass
class Config:
    """One job, and the place of one of its trials in the sweep."""

    model: ModelConfig = MISSING
    technique: TechniqueConfig = MISSING
    task: TaskConfig = MISSING
    workload: WorkloadConfig = MISSING
    measure: MeasureConfig = MISSING
    isolation: IsolationConfig = MISSING
    threads: int = 1  # of the engine, one per pinned physical core
    seed: int = 0  # of random weights, random pruning, training and the order of trials
    slots: Any = 1  # rounds measured at once, each on a last-level cache of its own; auto: on all there are
    store: str = "outputs/store"  # folder of the artifacts
    downloads: str = ".cache/downloads"  # folder of the packages that hold weights and texts
    prepare_timeout_seconds: float = 7200.0  # of one step of preparing; what takes longer is killed
    control_texts: int = 32  # compared with transformers' own predictions before anything is measured; 0: none are
    metrics: list[str] = field(default_factory=list)  # of your own: plugins/metrics/NAME.py, shown beside accuracy
    grid: GridConfig = field(default_factory=GridConfig)
    # Set by the sweeper, one value per trial:
    round: int = 0  # set by the sweeper
    position: int = 0  # set by the sweeper: place within the round
    role: Role = Role.variant  # set by the sweeper
    baseline: str | None = None  # set by the sweeper: key of the job whose box takes turns with this one

    def __post_init__(self) -> None:
        _at_least("threads", self.threads, 1)
        _at_least("prepare_timeout_seconds", self.prepare_timeout_seconds, 1)
        _at_least("control_texts", self.control_texts, 0)


def register() -> None:
    """Make the schema known to Hydra under the name that conf/config.yaml starts from."""
    ConfigStore.instance().store(name="schema", node=Config)


def plain_config(config: DictConfig) -> dict[str, Any]:
    """Return a composed config as plain values, every reference resolved, enums by name."""
    plain = OmegaConf.to_container(config, resolve=True, enum_to_str=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def _check_name(key: str, name: str) -> None:
    """Check that a name fits on one line, of a terminal as of a table; all else is escaped where it is shown."""
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise UserError(
            f"{key} is '{name[:_LONGEST_NAME]}', but must be one line of at most {_LONGEST_NAME} characters, without "
            "control characters. Give it a shorter or plainer one."
        )


def _at_least(key: str, value: float, least: float) -> None:
    if isinstance(value, int | float) and value < least:
        raise UserError(f"{key} is {value}, but must be at least {least}.")
