"""What is known about each example of a task whose texts people judged, from a predictions file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from runner.config.task_kinds import SIMILARITY

BY_EXAMPLE = ("score", "similarity")  # the columns of predictions that only such tasks have


def figures_by_example(content: Mapping[str, Any], values: np.ndarray, kind: str) -> dict[str, np.ndarray]:
    """Return the figures of each example by the name of their column; none for other kinds of task.

    Args:
        content: the content of the file.
        values: its logits, [examples, outputs].
        kind: the kind of the task; see `runner.config.task_kinds`.

    Raises:
        ValueError: if the file does not hold one number for each example.
    """
    if kind != SIMILARITY:
        return {}
    if values.shape[1:] != (1,):
        raise ValueError("a pair of texts does not have one cosine")
    return {"score": np.array(content["label"], dtype=float), "similarity": values[:, 0]}
