"""What the variants predict: confusion matrices, and the examples whose prediction changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.report.view import group_label
from runner.results.accuracy import confusion_matrix
from runner.results.tables import Tables

Row = Mapping[str, Any]

MOST_MOVED = 10


@dataclass(frozen=True)
class Judged:
    """The predictions of one model × technique; threads do not change them."""

    label: str
    row: Row  # of summary
    matrix: list[list[int]]  # rows true, columns predicted; empty where there is no accuracy
    moved: list[Row]  # changed predictions, those whose probabilities moved most first


@dataclass(frozen=True)
class Judgement:
    """All that was judged on one family, task and workload."""

    title: str
    names: list[str]  # of the labels
    judged: list[Judged]


def judgements(tables: Tables) -> list[Judgement]:
    """Return the judged variants by family, task and workload, in the order of the plan.

    Models with random weights are left out: what they predict means nothing.
    """
    predictions = _by_job(tables)
    found: dict[tuple[str, str, str], dict[tuple[str, str], Row]] = {}
    for row in tables.summary.to_pylist():
        if row["job"] in predictions and row["weights"] != "random":
            family = found.setdefault((row["family"], row["task"], row["workload"]), {})
            family.setdefault((row["model"], row["technique"]), row)
    labels = tables.manifest.get("labels") or {}
    return [
        Judgement(
            f"{family} on {task}, workload {workload}",
            labels.get(task, []),
            [_judged(row, predictions[row["job"]], labels.get(task, [])) for row in rows.values()],
        )
        for (family, task, workload), rows in found.items()
    ]


def _by_job(tables: Tables) -> dict[str, list[Row]]:
    columns = [name for name in tables.predictions.column_names if name != "probabilities"]
    by_job: dict[str, list[Row]] = {}
    for row in tables.predictions.select(columns).to_pylist():
        by_job.setdefault(row["job"], []).append(row)
    return by_job


def _judged(row: Row, examples: Sequence[Row], names: Sequence[str]) -> Judged:
    changed = [
        example
        for example in examples
        if example["baseline_prediction"] is not None and example["prediction"] != example["baseline_prediction"]
    ]
    changed.sort(key=lambda example: (-(example["moved"] or 0.0), example["example"]))
    matrix = []
    if row["accuracy"] is not None:
        truth, predicted = ([e[key] for e in examples] for key in ("label", "prediction"))
        matrix = confusion_matrix(truth, predicted, names)
    return Judged(group_label(row), row, matrix, changed[:MOST_MOVED])
