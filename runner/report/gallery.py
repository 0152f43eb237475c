"""Prepare predictions for the page: texts whose prediction differs from the baseline's, and matrices."""

from __future__ import annotations

from typing import Any

from runner.report.examples import KINDS, MAX_CHANGES, PredictionGroup, kind, shown_text
from runner.results.format import percent
from runner.results.tables import Row


def gallery(prediction_group: PredictionGroup) -> dict[str, Any] | None:
    """Return the texts and the changes of every variant, or None if no prediction changed. Each text is there once.

    A change is [text, label, baseline's prediction, its probability, variant's prediction, its probability, kind].
    """
    texts: dict[str, int] = {}
    variants = []
    for evaluated in prediction_group.evaluated:
        changes = sorted(evaluated.changed, key=lambda example: KINDS.index(kind(example)))[:MAX_CHANGES]
        if changes:
            rows = [_change(example, texts) for example in changes]
            variants.append({"label": evaluated.label, "changed": evaluated.changes, "changes": rows})
    return {"texts": list(texts), "variants": variants} if variants else None


def matrices(prediction_group: PredictionGroup) -> dict[str, Any] | None:
    """Return the confusion matrix of every variant (rows true, columns predicted), or None without labels."""
    found = [
        {
            "label": evaluated.label,
            "note": f"accuracy {percent(evaluated.row['accuracy'])}, macro-F1 {evaluated.row['macro_f1']:.3f}",
            "counts": evaluated.matrix,
        }
        for evaluated in prediction_group.evaluated
        if evaluated.matrix
    ]
    return {"names": prediction_group.names, "matrices": found} if found else None


def _change(example: Row, texts: dict[str, int]) -> list[Any]:
    place = texts.setdefault(shown_text(example), len(texts))
    sides = [example[f"{who}{name}"] for who in ("baseline_", "") for name in ("prediction", "probability")]
    rounded = [round(value, 3) if isinstance(value, float) else value for value in sides]
    return [place, example["label"], *rounded, kind(example)]
