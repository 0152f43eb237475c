"""Read tokenized inputs from the .npz file that runner/trial/tokenize.py writes, with all batches end to end."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import accumulate
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

from runner.models.inputs import INPUTS

if TYPE_CHECKING:
    import numpy as np


TEXTS_FILE, DOCUMENTS_FILE = "inputs.npz", "documents.npz"  # tokenized texts; the second is there for retrieval only
LOGITS = "logits.npy"  # what an artifact makes of all texts; see runner/trial/evaluate.py
WORD_STARTS = "word_starts"  # an additional input if words are evaluated, with 1 at the first token of each word


def load_inputs(path: Path, batches: int | None = None) -> list[tuple[np.ndarray, ...]]:
    """Return the inputs of the first `batches` batches, or of all, in the order of `INPUTS`, int64 [batch, length]."""
    return _load(path, INPUTS, lambda shapes: range(len(shapes))[:batches])


def load_larger(path: Path, known: Sequence[tuple[int, ...]]) -> list[tuple[np.ndarray, ...]]:
    """Return the inputs of the batch with the most tokens and of the batch with the longest texts, with padding.

    A batch is left out if one of the known shapes is as large.
    """

    def larger(shapes: list[tuple[int, ...]]) -> list[int]:
        places = set[int]()
        for size in (math.prod, itemgetter(1)):
            largest = max(range(len(shapes)), key=lambda place: size(shapes[place]))
            if size(shapes[largest]) > max(map(size, known)):
                places.add(largest)
        return sorted(places)

    return _load(path, INPUTS, larger)


def load_evaluated(path: Path) -> list[tuple[np.ndarray, ...]]:
    """Return the inputs of every batch. If words are evaluated, the starts of words come last."""
    return _load(path, (*INPUTS, WORD_STARTS), lambda shapes: range(len(shapes)))


def words_with_tokens(path: Path) -> np.ndarray | None:
    """Return for each word of all texts whether it has a token, or None if texts are evaluated as a whole."""
    import numpy as np

    with np.load(path) as file:
        return np.asarray(file["words"]) if "words" in file else None


def _load(
    path: Path, names: Sequence[str], choose: Callable[[list[tuple[int, ...]]], Sequence[int]]
) -> list[tuple[np.ndarray, ...]]:
    """Return the named inputs of some batches. `choose` gets the shapes of all batches and returns their places."""
    import numpy as np

    with np.load(path) as file:
        shapes = [tuple(map(int, shape)) for shape in file["shapes"]]
        inputs = [file[name] for name in names if name in file]
    ends = list(accumulate(map(math.prod, shapes)))
    parts = [(slice(ends[place] - math.prod(shapes[place]), ends[place]), shapes[place]) for place in choose(shapes)]
    return [tuple(array[part].astype(np.int64).reshape(shape) for array in inputs) for part, shape in parts]


def pad_token_id(path: Path) -> int:
    """Return the id of the padding token, from which models such as RoBERTa compute positions."""
    import numpy as np

    with np.load(path) as file:
        return int(file["pad_token_id"])
