"""Prints one line for each pair of a query and a document: its score, which is higher for a relevant document."""

import numpy as np


def values(logits: np.ndarray, *_: object) -> np.ndarray:
    """Return the score of each pair as the model gives it: [pairs]."""
    return logits[:, 0]


def line(score: float) -> str:
    """Return the line of one pair."""
    return f"{score:.9g}"
