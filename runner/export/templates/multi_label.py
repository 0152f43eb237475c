"""Prints a line for each: every label that it has, a tab, its probability, and a tab before the next label. Where there
is none, the line is empty."""

import numpy as np

from runner.export.templates.predict import SETTINGS


def values(logits: np.ndarray, *_: object) -> np.ndarray:
    """Turn logits into the probability of every label, each by itself, [texts, labels]."""
    return np.asarray(1 / (1 + np.exp(-logits.astype(np.float64))))


def line(probabilities: np.ndarray) -> str:
    """Return what is printed of one text."""
    labelled = zip(SETTINGS["labels"], probabilities, strict=True)
    return "\t".join(f"{label}\t{p:.6f}" for label, p in labelled if p > SETTINGS["threshold"])
