"""Which job of A is which job of B."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.results.tables import Tables

Row = Mapping[str, Any]

_SETTINGS = ("threads", "family", "weights", "batch_size", "padding", "max_length", "bucket")


@dataclass(frozen=True)
class Side:
    """One job as one sweep saw it.

    Attributes:
        row: its row of summary.
        trials: its rows of results that enter medians: ok, and not in a disturbed round.
        examples: its rows of predictions, with `text`, `label` and `prediction`.
        steps: its artifact's steps, each with its config.
    """

    row: Row
    trials: list[Row]
    examples: list[Row]
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
    def same_inputs(self) -> bool:
        """Return whether both were given the same texts; unknown counts as the same."""
        texts = [[example["text"] for example in side.examples] for side in (self.a, self.b)]
        return not all(texts) or texts[0] == texts[1]

    @property
    def settings(self) -> list[str]:
        """Return every setting that differs, as 'threads 1 → 2'."""
        a, b = ({**{name: side.row[name] for name in _SETTINGS}, **_steps(side)} for side in (self.a, self.b))
        names = [name for name in dict.fromkeys([*a, *b]) if a.get(name) != b.get(name)]
        if not self.a.steps or not self.b.steps:  # not known on one side
            names = [name for name in names if name in _SETTINGS]
        return [f"{name} {_said(a.get(name))} → {_said(b.get(name))}" for name in names]


@dataclass(frozen=True)
class Join:
    """Every job of both sweeps: in both, or in one only."""

    pairs: list[Pair]
    only_a: list[Side]
    only_b: list[Side]


def sides(tables: Tables) -> list[Side]:
    """Return the jobs of a sweep in the order of its plan."""
    trials, examples = defaultdict(list), defaultdict(list)
    for row in tables.results.to_pylist():
        if row["status"] == "ok" and row["counted"] is not False:
            trials[row["job"]].append(row)
    for row in tables.predictions.select(["job", "text", "label", "prediction"]).to_pylist():
        examples[row["job"]].append(row)
    lineage = tables.manifest.get("lineage") or {}
    return [
        Side(
            row,
            trials[row["job"]],
            examples[row["job"]],
            [(step["step"], step.get("config") or {}) for step in lineage.get(row["artifact"]) or []],
        )
        for row in tables.summary.to_pylist()
    ]


def join(a: Sequence[Side], b: Sequence[Side]) -> Join:
    """Pair the jobs of two sweeps.

    By key first, which is unique by config. What is left is paired by its names and threads, then by its names, each
    time only where that is unique on both sides: the job is then the same but for a setting. Jobs of different kinds
    of box are never paired.
    """
    identities: tuple[Callable[[Side], object], ...] = (_key, _names_and_threads, _names)
    left_a, left_b, found = list(a), list(b), []
    for identity in identities:
        of_a, of_b = _unique(left_a, identity), _unique(left_b, identity)
        found += [Pair(side, of_b[name]) for name, side in of_a.items() if name in of_b]
        left_a = [side for side in left_a if all(side is not pair.a for pair in found)]
        left_b = [side for side in left_b if all(side is not pair.b for pair in found)]
    order = {side.row["job"]: place for place, side in enumerate(a)}
    return Join(sorted(found, key=lambda pair: order[pair.a.row["job"]]), left_a, left_b)


def _unique(those: Sequence[Side], identity: Callable[[Side], object]) -> dict[object, Side]:
    counts = Counter(map(identity, those))
    return {identity(side): side for side in those if counts[identity(side)] == 1}


def _key(side: Side) -> object:
    return side.row["job"], side.row["isolation"]


def _names(side: Side) -> object:
    return tuple(side.row[name] for name in ("model", "technique", "task", "workload", "isolation"))


def _names_and_threads(side: Side) -> object:
    return _names(side), side.row["threads"]


def _steps(side: Side) -> dict[str, Any]:
    """Return the chain of steps and every key of their configs."""
    configs = {f"{name}.{key}": value for name, config in side.steps for key, value in config.items()}
    return {"steps": " → ".join(name for name, _ in side.steps), **configs}


def _said(value: Any) -> str:
    return "none" if value is None or value == "" else str(value)
