"""Prints one line for each text: its labels, each followed by a tab and its probability, separated by tabs. A text
without labels gives an empty line."""

import numpy as np

from runner.export.templates.predict import SETTINGS


def values(logits: np.ndarray, *_: object) -> np.ndarray:
    """Turn logits into an independent probability of every label: [texts, labels]."""
    return np.asarray(1 / (1 + np.exp(-logits.astype(np.float64))))


def line(probabilities: np.ndarray) -> str:
    """Return the line of one text."""
    labelled = zip(SETTINGS["labels"], probabilities, strict=True)
    return "\t".join(f"{label}\t{p:.6f}" for label, p in labelled if p > SETTINGS["threshold"])
