"""Read tokenized inputs: one .npz with all batches, laid end to end (written by runner/tasks/tokenize.py)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from runner.engines import INPUTS

if TYPE_CHECKING:
    import numpy as np


def load_inputs(path: Path, batches: int | None = None) -> list[tuple[np.ndarray, ...]]:
    """Return the inputs of each batch in the order of `runner.engines.INPUTS`, int64 [batch, length], so the attention
    mask second; the first `batches` or all."""
    import numpy as np

    with np.load(path) as file:
        shapes, inputs = file["shapes"], [file[name] for name in INPUTS if name in file]
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
