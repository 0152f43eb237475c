"""Prints a line for each: the numbers of its vector, a space between them. numpy.loadtxt reads them back."""

import numpy as np


def values(logits: np.ndarray, *_: object) -> np.ndarray:
    """Return the vectors, [texts, width], as they come from the model."""
    return logits


def line(vector: np.ndarray) -> str:
    """Return what is printed of one text; nine digits are all of a float32."""
    return " ".join(f"{number:.9g}" for number in vector)
