"""The figures of each example of a task whose texts people judged, from a predictions file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from runner.config.task_kinds import RANKED, SIMILARITY
from runner.results.ranking import ndcg, recall, reciprocal_rank

RANKING = ("ndcg_at_10", "mrr_at_10", "recall_at_10", "recall_at_100")  # figures of a query
BY_EXAMPLE = ("score", "similarity", *RANKING)  # the columns of predictions that only such tasks have


def figures_by_example(content: Mapping[str, Any], values: np.ndarray, kind: str) -> dict[str, np.ndarray]:
    """Return the figures of each example by the name of their column; none for other kinds of task.

    Args:
        content: the content of the file.
        values: its logits, [examples, outputs].
        kind: the kind of the task; see `runner.config.task_kinds`.

    Raises:
        ValueError: if the file does not hold one number, or one ranking, for each example.
    """
    if kind == SIMILARITY:
        if values.shape[1:] != (1,):
            raise ValueError("a pair of texts does not have one cosine")
        return {"score": np.array(content["label"], dtype=float), "similarity": values[:, 0]}
    if kind not in RANKED:
        return {}
    rows = [_of_query(*query) for query in zip(content["rankings"], content["judged"], strict=True)]
    if len(rows) != len(values):
        raise ValueError("texts and rankings differ in length")
    return dict(zip(RANKING, np.array(rows, dtype=float).reshape(-1, len(RANKING)).T, strict=True))


def _of_query(ranking: Sequence[int] | None, judged: Sequence[tuple[int, float]]) -> tuple[float, ...]:
    """Return the figures of a query in the order of `RANKING`; not a number where it has no ranking."""
    if ranking is None:
        return (float("nan"),) * len(RANKING)
    grade_of = dict(judged)
    ranked, grades = [grade_of.get(place, 0.0) for place in ranking], list(grade_of.values())
    return (
        ndcg(ranked, grades, 10),
        reciprocal_rank(ranked, 10),
        recall(ranked, grades, 10),
        recall(ranked, grades, 100),
    )
