"""What the variants predict: confusion matrices, and the examples whose prediction changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from runner.report.view import group_label
from runner.results.accuracy import confusion_matrix
from runner.results.tables import Tables
from runner.tasks.kinds import EMBEDDING, SINGLE_LABEL

Row = Mapping[str, Any]

MOST_JUDGEMENTS, MOST = 30, 100  # that are shown, and variants of each
_LONGEST_TEXT = 1000  # characters of an example that are shown


@dataclass(frozen=True)
class Judged:
    """The predictions of one model × technique; threads do not change them."""

    label: str
    row: Row  # of summary
    matrix: list[list[int]]  # rows true, columns predicted; empty where there is no accuracy
    changed: list[Row]  # changed predictions, those whose probabilities moved most first


@dataclass(frozen=True)
class Judgement:
    """What was judged on one family, task and workload: the first MOST of `variants`."""

    title: str
    names: list[str]  # of the labels
    judged: list[Judged]
    variants: int


def judgements(tables: Tables) -> tuple[list[Judgement], int]:
    """Return the judged variants by family, task and workload, the first ones of the plan; and how many there are.

    Models with random weights are left out: what they predict means nothing. So are tasks of vectors: nothing is
    predicted.
    """
    kinds = tables.manifest.get("kinds") or {}
    with_predictions = set(pc.unique(tables.predictions["job"]).to_pylist())
    found: dict[tuple[str, str, str], dict[tuple[str, str], Row]] = {}
    for row in tables.summary.to_pylist():
        predicts = row["weights"] != "random" and kinds.get(row["task"]) != EMBEDDING
        if row["job"] in with_predictions and predicts:
            family = found.setdefault((row["family"], row["task"], row["workload"]), {})
            family.setdefault((row["model"], row["technique"]), row)
    shown = {key: list(rows.values())[:MOST] for key, rows in list(found.items())[:MOST_JUDGEMENTS]}
    predictions = _by_job(tables, [row["job"] for rows in shown.values() for row in rows])
    labels = _confusable(tables.manifest)
    made = [
        Judgement(
            f"{family} on {task}, workload {workload}",
            labels.get(task, []),
            [_judged(row, predictions[row["job"]], labels.get(task, [])) for row in rows],
            len(found[(family, task, workload)]),
        )
        for (family, task, workload), rows in shown.items()
    ]
    return made, len(found)


def _confusable(manifest: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the labels of each task whose texts have one: of several, a matrix would have a row for each set."""
    kinds = manifest.get("kinds") or {}
    labels = manifest.get("labels") or {}
    return {task: names for task, names in labels.items() if kinds.get(task, SINGLE_LABEL) == SINGLE_LABEL}


def _by_job(tables: Tables, jobs: Iterable[str]) -> dict[str, list[Row]]:
    columns = [name for name in tables.predictions.column_names if name != "probabilities"]
    by_job: dict[str, list[Row]] = {job: [] for job in jobs}
    chosen = pc.field("job").isin(pa.array(list(by_job), pa.string()))
    for row in tables.predictions.select(columns).filter(chosen).to_pylist():
        by_job[row["job"]].append(row)
    return by_job


def _judged(row: Row, examples: Sequence[Row], names: Sequence[str]) -> Judged:
    changed = [
        example
        for example in examples
        if example["baseline_prediction"] is not None and example["prediction"] != example["baseline_prediction"]
    ]
    changed.sort(key=lambda example: (-(example["moved"] or 0.0), example["example"]))
    matrix = []
    if row["accuracy"] is not None and names:
        truth, predicted = ([e[key] for e in examples] for key in ("label", "prediction"))
        matrix = confusion_matrix(truth, predicted, names)
    return Judged(group_label(row), row, matrix, changed)


def shown_text(example: Row) -> str:
    """Return an example's text, cut where it is too long for a page."""
    text = str(example["text"])
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"
