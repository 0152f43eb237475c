"""Read tokenized inputs: one .npz with all batches, laid end to end (written by runner/tasks/tokenize.py)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def load_inputs(path: Path, batches: int | None = None) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return (input_ids, attention_mask) of each batch, int64 [batch, length]; the first `batches` or all."""
    import numpy as np

    with np.load(path) as file:
        shapes, ids, mask = file["shapes"], file["input_ids"], file["attention_mask"]
    loaded, start = [], 0
    for rows, columns in shapes[:batches]:
        part = slice(start, start + rows * columns)
        shape = (int(rows), int(columns))
        loaded.append((ids[part].astype(np.int64).reshape(shape), mask[part].astype(np.int64).reshape(shape)))
        start = part.stop
    return loaded


def pad_token_id(path: Path) -> int:
    """Return the token id that pads: RoBERTa and its kin count positions by it."""
    import numpy as np

    with np.load(path) as file:
        return int(file["pad_token_id"])
