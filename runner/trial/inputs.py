"""Read tokenized inputs: one .npz with all batches, laid end to end (written by runner/trial/tokenize.py)."""

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


WORD_STARTS = "word_starts"  # beside the inputs, where words are evaluated: 1 at the first token of each


def load_inputs(path: Path, batches: int | None = None) -> list[tuple[np.ndarray, ...]]:
    """Return the inputs of each batch in the order of `INPUTS`, int64 [batch, length]; the first `batches` or all."""
    return _load(path, INPUTS, lambda shapes: range(len(shapes))[:batches])


def load_larger(path: Path, known: Sequence[tuple[int, ...]]) -> list[tuple[np.ndarray, ...]]:
    """Return the inputs of the batch with the most tokens and of the one with the longest texts, padding included,
    each only if none of the known shapes is as large."""

    def larger(shapes: list[tuple[int, ...]]) -> list[int]:
        places = set[int]()
        for size in (math.prod, itemgetter(1)):
            largest = max(range(len(shapes)), key=lambda place: size(shapes[place]))
            if size(shapes[largest]) > max(map(size, known)):
                places.add(largest)
        return sorted(places)

    return _load(path, INPUTS, larger)


def load_evaluated(path: Path) -> list[tuple[np.ndarray, ...]]:
    """Return the inputs of every batch, and after them, where words are evaluated, where they start."""
    return _load(path, (*INPUTS, WORD_STARTS), lambda shapes: range(len(shapes)))


def words_with_tokens(path: Path) -> np.ndarray | None:
    """Return for each word of all texts whether it has a token; None where texts are evaluated as a whole."""
    import numpy as np

    with np.load(path) as file:
        return np.asarray(file["words"]) if "words" in file else None


def _load(
    path: Path, names: Sequence[str], choose: Callable[[list[tuple[int, ...]]], Sequence[int]]
) -> list[tuple[np.ndarray, ...]]:
    """Return the named inputs of the batches at the places that `choose` returns for the shapes of all."""
    import numpy as np

    with np.load(path) as file:
        shapes = [tuple(map(int, shape)) for shape in file["shapes"]]
        inputs = [file[name] for name in names if name in file]
    ends = list(accumulate(map(math.prod, shapes)))
    parts = [(slice(ends[place] - math.prod(shapes[place]), ends[place]), shapes[place]) for place in choose(shapes)]
    return [tuple(array[part].astype(np.int64).reshape(shape) for array in inputs) for part, shape in parts]


def pad_token_id(path: Path) -> int:
    """Return the token id that pads: RoBERTa and its kin count positions by it."""
    import numpy as np

    with np.load(path) as file:
        return int(file["pad_token_id"])
