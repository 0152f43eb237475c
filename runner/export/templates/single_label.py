"""Prints one line for each text: the label, a tab, and its probability."""

import numpy as np

from runner.export.templates.predict import SETTINGS


def values(logits: np.ndarray, *_: object) -> np.ndarray:
    """Turn logits into the probability of every label: [texts, labels]."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def line(probabilities: np.ndarray) -> str:
    """Return the line of one text."""
    best = int(probabilities.argmax())
    return f"{SETTINGS['labels'][best]}\t{probabilities[best]:.6f}"
