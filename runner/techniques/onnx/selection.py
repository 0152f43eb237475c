"""Read the texts on which a step decides what stays in float32: validation or training texts, and never test texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from runner.tasks.texts import read_split


@dataclass(frozen=True)
class SelectionTexts:
    """Labelled texts on which a step decides what stays in float32.

    Attributes:
        split: the split that they are from.
        texts: the inputs of a tokenizer.
        labels: the place of each text's label.
    """

    split: str
    texts: Sequence[str | tuple[str, ...]]
    labels: Sequence[int]

    def accuracy(self, logits: np.ndarray) -> float:
        """Return the share of the texts for which the logits, [texts, labels], are highest at the label."""
        return float((logits.argmax(axis=-1) == np.array(self.labels)).mean())


def selection_texts(folder: Path, count: int) -> SelectionTexts:
    """Return the first labelled texts of the validation split, or of the training split if it has none.

    Args:
        folder: the task's folder; see `runner.tasks`.
        count: the most texts to return.
    """
    split = next((split for split in ("validation", "train") if read_split(folder, split)), "train")
    examples = read_split(folder, split)[:count]
    return SelectionTexts(split, [one.tokenizer_input for one in examples], [one.label for one in examples])  # type: ignore[misc]  # the kind is single-label
