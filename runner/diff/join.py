"""Pair the jobs of A with the jobs of B."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow.compute as pc

from runner.results.score import score_of
from runner.results.tables import Row, Tables, coded, places_by_job, rows_by_job

_OF_TRIALS = ["job", "round", "latency_ratio", "latency_p50_seconds", "rss_peak_bytes", "rss_anon_peak_bytes"]
_OF_TRIALS += [
    "capacity_ratio",
    "capacity_per_second",
    "load_seconds",
    "first_call_seconds",
    "reference_seconds",
    "precision",
]
_CODED = ("text", "label", "prediction")
_SETTINGS = (
    *("threads", "family", "weights", "batch_size", "padding", "max_length", "bucket"),
    *("workers", "max_batch_size", "max_wait_seconds", "slo_percentile", "slo_seconds"),
)
_NAMES = ("model", "technique", "task", "workload", "isolation", "quota_cpus", "load")


@dataclass(frozen=True)
class Examples:
    """The inputs and predictions of a job, example by example: strings of both sweeps as numbers, −1 for none.

    `of_text` is the number of each example's text: in tagged texts, every word is an example. `judged` holds what the
    score of a judged task is computed from, by its column of predictions.
    """

    of_text: np.ndarray
    text: np.ndarray
    label: np.ndarray
    prediction: np.ndarray
    judged: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.text)

    @property
    def are_words(self) -> bool:
        """Return whether several examples come from one text."""
        return len(np.unique(self.of_text)) < len(self)


_NONE = np.zeros(0, dtype=np.int32)
_NO_EXAMPLES = Examples(_NONE, _NONE, _NONE, _NONE)


@dataclass(frozen=True)
class Side:
    """One job in one sweep.

    Attributes:
        row: the row of summary.
        trials: the rows of results that enter medians: ok, and not in a disturbed round.
        examples: the inputs and predictions.
        steps: the steps of the artifact, each with its config.
    """

    row: Row
    trials: Sequence[Row]
    examples: Examples
    steps: list[tuple[str, Mapping[str, Any]]]

    @property
    def is_baseline(self) -> bool:
        """Return whether ratios are taken against this job."""
        return bool(self.row["job"] == self.row["baseline_job"])


@dataclass(frozen=True)
class Pair:
    """The same job in both sweeps."""

    a: Side
    b: Side

    @property
    def is_baseline(self) -> bool:
        """Return whether ratios are taken against this job on at least one side."""
        return self.a.is_baseline or self.b.is_baseline

    @property
    def same_artifact(self) -> bool | None:
        """Return whether both ran the same artifact, byte for byte; None if unknown."""
        a, b = self.a.row["artifact"], self.b.row["artifact"]
        return None if a is None or b is None else bool(a == b)

    @property
    def same_work(self) -> bool:
        """Return whether both ran the same artifact under the same settings, with the same plug-ins of the user."""
        return bool(self.same_artifact) and not self.settings and self.a.row["plugins"] == self.b.row["plugins"]

    @property
    def same_inputs(self) -> bool:
        """Return whether both had the same texts as inputs; unknown texts are taken as the same."""
        a, b = self.a.examples, self.b.examples
        return not len(a) or not len(b) or np.array_equal(a.text, b.text)

    @property
    def settings(self) -> list[str]:
        """Return every setting that differs, as 'threads 1 → 2'."""
        a, b = ({**{name: side.row[name] for name in _SETTINGS}, **_steps(side)} for side in (self.a, self.b))
        names = [name for name in dict.fromkeys([*a, *b]) if a.get(name) != b.get(name)]
        if not self.a.steps or not self.b.steps:  # not known on one side
            names = [name for name in names if name in _SETTINGS]
        return [f"{name} {_said(a.get(name))} → {_said(b.get(name))}" for name in names]


def baseline_of(pair: Pair, pairs: Sequence[Pair]) -> Pair | None:
    """Return the pair of both sides' baselines; None if they were not paired, or if the job has none."""
    wanted = (pair.a.row["baseline_job"], pair.b.row["baseline_job"])
    return next((pair for pair in pairs if (pair.a.row["job"], pair.b.row["job"]) == wanted), None)


@dataclass(frozen=True)
class Join:
    """The jobs of both sweeps: those that are in both, and those that are in one only."""

    pairs: list[Pair]
    only_a: list[Side]
    only_b: list[Side]


def sides(tables: Tables, known: dict[str, int]) -> list[Side]:
    """Return the jobs of a sweep in the order of its plan.

    Args:
        tables: the tables of the sweep.
        known: the number of each string in the examples; both sweeps share it.
    """
    counted = (pc.field("status") == "ok") & (pc.field("included").is_null() | pc.field("included"))
    trials = dict(rows_by_job(tables.results.filter(counted).select(_OF_TRIALS)))
    examples = _examples(tables, known)
    lineage = tables.manifest.get("lineage") or {}
    return [
        Side(
            row,
            trials.get(row["job"], []),
            examples.get(row["job"], _NO_EXAMPLES),
            [(step["step"], step.get("config") or {}) for step in lineage.get(row["artifact"]) or []],
        )
        for row in tables.jobs
    ]


def _examples(tables: Tables, known: dict[str, int]) -> dict[str, Examples]:
    arrays: dict[str, list[list[np.ndarray]]] = defaultdict(list)
    scores = {score for row in tables.jobs if (score := score_of(row)) is not None}
    judged = sorted({name for score in scores for name in score.of_example if name not in _CODED})
    for part in tables.predictions.parts(["job", "example", "of_text", *_CODED, *judged]):
        columns = [part["of_text"].to_numpy(), *(coded(part[name], known).astype(np.int32) for name in _CODED)]
        columns += [part[name].to_numpy() for name in judged]
        for job, rows in places_by_job(part):
            arrays[job].append([column[rows] for column in columns])
    return {job: _joined(parts, judged) for job, parts in arrays.items()}


def _joined(parts: Sequence[Sequence[np.ndarray]], judged: Sequence[str]) -> Examples:
    of_text, text, label, prediction, *others = (np.concatenate(own) for own in zip(*parts, strict=True))
    return Examples(of_text, text, label, prediction, dict(zip(judged, others, strict=True)))


def join(a: Sequence[Side], b: Sequence[Side]) -> Join:
    """Pair the jobs of two sweeps.

    Jobs are paired by key first, which is unique to a config. The remaining jobs are paired by their names and threads,
    then by their names alone, each time only where these are unique on both sides: then the job is the same except for
    a setting. Jobs of different kinds of box are never paired.
    """
    identities: tuple[Callable[[Side], object], ...] = (_key, _names_and_threads, _names)
    left_a, left_b, pairs = list(a), list(b), list[Pair]()
    for identity in identities:
        of_a, of_b = _unique(left_a, identity), _unique(left_b, identity)
        pairs += [Pair(side, of_b[name]) for name, side in of_a.items() if name in of_b]
        taken = {id(side) for pair in pairs for side in (pair.a, pair.b)}
        left_a, left_b = ([side for side in left if id(side) not in taken] for left in (left_a, left_b))
    order = {side.row["job"]: place for place, side in enumerate(a)}
    return Join(sorted(pairs, key=lambda pair: order[pair.a.row["job"]]), left_a, left_b)


def _unique(those: Sequence[Side], identity: Callable[[Side], object]) -> dict[object, Side]:
    counts = Counter(map(identity, those))
    return {identity(side): side for side in those if counts[identity(side)] == 1}


def _key(side: Side) -> object:
    return side.row["job"], side.row["isolation"]


def _names(side: Side) -> object:
    return tuple(side.row[name] for name in _NAMES)


def _names_and_threads(side: Side) -> object:
    return _names(side), side.row["threads"]


def _steps(side: Side) -> dict[str, Any]:
    """Return the chain of steps and every key of their configs."""
    configs = {f"{name}.{key}": value for name, config in side.steps for key, value in config.items()}
    return {"steps": " → ".join(name for name, _ in side.steps), **configs}


def _said(value: Any) -> str:
    return "none" if value is None or value == "" else str(value)
