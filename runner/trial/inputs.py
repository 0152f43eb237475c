"""Read tokenized inputs: one .npz with all batches, laid end to end (written by runner/tasks/tokenize.py)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.engines import INPUTS

if TYPE_CHECKING:
    import numpy as np


WORD_STARTS = "word_starts"  # beside the inputs, where words are judged: 1 at the first token of each


def load_inputs(path: Path, batches: int | None = None) -> list[tuple[np.ndarray, ...]]:
    """Return the inputs of each batch in the order of `runner.engines.INPUTS`, int64 [batch, length], so the attention
    mask second; the first `batches` or all."""
    return _load(path, INPUTS, batches)


def load_judged(path: Path) -> list[tuple[np.ndarray, ...]]:
    """Return the inputs of every batch, and after them, where words are judged, where they start."""
    return _load(path, (*INPUTS, WORD_STARTS), None)


def words_with_tokens(path: Path) -> np.ndarray | None:
    """Return for each word of all texts whether it has a token; None where texts are judged as a whole."""
    import numpy as np

    with np.load(path) as file:
        return np.asarray(file["words"]) if "words" in file else None


def _load(path: Path, names: Sequence[str], batches: int | None) -> list[tuple[np.ndarray, ...]]:
    import numpy as np

    with np.load(path) as file:
        shapes, inputs = file["shapes"], [file[name] for name in names if name in file]
    loaded, start = [], 0
    for rows, columns in shapes[:batches]:
        part = slice(start, start + rows * columns)
        shape = (int(rows), int(columns))
        loaded.append(tuple(array[part].astype(np.int64).reshape(shape) for array in inputs))
        start = part.stop
    return loaded


def pad_token_id(path: Path) -> int:
    """Return the token id that pads: RoBERTa and its kin count positions by it."""
    import numpy as np

    with np.load(path) as file:
        return int(file["pad_token_id"])
