"""Collect what the variants predict: confusion matrices, and the examples whose prediction changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pyarrow.compute as pc

from runner.config.task_kinds import LABELLED, SINGLE_LABEL, TOKENS
from runner.results.accuracy import confusion_matrix
from runner.results.labels import group_label
from runner.results.tables import Row, Tables, coded, places_by_job

MAX_PREDICTION_GROUPS, MOST = 30, 100  # groups that are shown, and variants of each
MAX_CHANGES = 100  # changes of one variant that are shown: by kind, then by size
KINDS = ("negative", "positive", "other")  # only the baseline right, only the variant right, neither or no label
_LONGEST_TEXT = 1000  # characters of an example that are shown
_OF_EXAMPLES = ["job", "example", "text", "label", "prediction", "probability"]
_OF_EXAMPLES += ["baseline_prediction", "baseline_probability", "total_variation"]


@dataclass(frozen=True)
class EvaluatedVariant:
    """The predictions of one model and technique. The number of threads does not change them."""

    label: str
    row: Row  # of summary
    matrix: list[list[int]]  # rows true, columns predicted; empty where there is no accuracy
    changes: int  # how many predictions changed
    changed: list[Row]  # the first MAX_CHANGES by kind, and those by size; the largest change of probabilities first


@dataclass(frozen=True)
class PredictionGroup:
    """The variants that were evaluated on one family, task and workload. Only the first MOST are shown."""

    title: str
    names: list[str]  # of the labels
    evaluated: list[EvaluatedVariant]
    variants: int


def prediction_groups(tables: Tables) -> tuple[list[PredictionGroup], int]:
    """Return the evaluated variants by family, task and workload (the first ones of the plan), and how many exist."""
    found = _rows_evaluated(tables)
    shown = {key: list(rows.values())[:MOST] for key, rows in islice(found.items(), MAX_PREDICTION_GROUPS)}
    labels = _confusable(tables.manifest)
    evaluated = _evaluated(tables, {row["job"]: row for rows in shown.values() for row in rows}, labels)
    made = [
        PredictionGroup(
            f"{family} on {task}, workload {workload}",
            labels.get(task, []),
            [evaluated[row["job"]] for row in rows],
            len(found[(family, task, workload)]),
        )
        for (family, task, workload), rows in shown.items()
    ]
    return made, len(found)


def _confusable(manifest: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the labels that may be predicted in each task whose examples have one label.

    If examples have several labels, a matrix would need a row for each set of labels.
    """
    kinds = manifest.get("kinds") or {}
    labels, others = manifest.get("labels") or {}, manifest.get("other_outputs") or {}
    return {
        task: [*names, *others.get(task, [])]
        for task, names in labels.items()
        if kinds.get(task, SINGLE_LABEL) in (SINGLE_LABEL, TOKENS)
    }


def _rows_evaluated(tables: Tables) -> dict[tuple[str, str, str], dict[tuple[str, str], Row]]:
    """Return rows of the summary by family, task and workload, then by model and technique.

    Models with random weights are left out, since their predictions mean nothing. Tasks without labels to predict
    are left out.
    """
    kinds = tables.manifest.get("kinds") or {}
    found: dict[tuple[str, str, str], dict[tuple[str, str], Row]] = {}
    for row in tables.jobs:
        if row["examples"] and row["weights"] != "random" and kinds.get(row["task"], SINGLE_LABEL) in LABELLED:
            variants = found.setdefault((row["family"], row["task"], row["workload"]), {})
            variants.setdefault((row["model"], row["technique"]), row)
    return found


def _evaluated(
    tables: Tables, rows: Mapping[str, Row], labels: Mapping[str, Sequence[str]]
) -> dict[str, EvaluatedVariant]:
    """Return the shown predictions of each of these jobs. Only they become Python objects."""
    table = tables.predictions.read(_OF_EXAMPLES, rows)
    known: dict[str, int] = {}
    sides = ("label", "prediction", "baseline_prediction")
    label, own, baseline = (coded(pc.dictionary_encode(table[name]), known) for name in sides)
    variation, example = pc.fill_null(table["total_variation"], 0.0).to_numpy(), table["example"].to_numpy()
    kinds = np.where((label >= 0) & (baseline == label), 0, np.where((label >= 0) & (own == label), 1, 2))
    differs = (baseline >= 0) & (own != baseline)
    found = {}
    for job, places in places_by_job(table):
        changed = places[differs[places]]
        by_move = changed[np.lexsort((example[changed], -variation[changed]))]
        by_kind = by_move[np.argsort(kinds[by_move], kind="stable")]
        shown = by_move[np.isin(by_move, [*by_move[:MAX_CHANGES], *by_kind[:MAX_CHANGES]])]
        matrix, names = list[list[int]](), labels.get(rows[job]["task"], [])
        if rows[job]["accuracy"] is not None and names:
            truth, predicted = (table[name].take(places).to_pylist() for name in ("label", "prediction"))
            matrix = confusion_matrix(truth, predicted, names)
        found[job] = EvaluatedVariant(
            group_label(rows[job]), rows[job], matrix, len(changed), table.take(shown).to_pylist()
        )
    return found


def kind(example: Row) -> str:
    """Return the kind of a changed prediction, one of KINDS."""
    label = example["label"]
    if label is not None and example["baseline_prediction"] == label:
        return "negative"
    return "positive" if label is not None and example["prediction"] == label else "other"


def shown_text(example: Row) -> str:
    """Return an example's text, shortened if it is too long for a page."""
    text = str(example["text"])
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"
