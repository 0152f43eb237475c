"""Does a prediction depend on the texts beside it, or on padding? It does where scales are taken from a whole batch.

Dynamic int8 takes one scale per tensor from the activations of all texts and of the padding among them
(https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html), so the same text may be evaluated
otherwise in other company. In float32 only the order of additions differs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from runner.config.task_kinds import EMBEDDING, MULTI_LABEL, SINGLE_LABEL

if TYPE_CHECKING:
    import numpy as np

#: input_ids, attention_mask and perhaps token_type_ids, and of words where they start; int64 [texts, length]
Batch = tuple["np.ndarray", ...]

MAX_TEXTS = 128
TEXTS_A_BATCH = 8


def compare_batchings(
    evaluate: Callable[[Batch], np.ndarray],
    batches: Sequence[Batch],
    logits: np.ndarray,
    pad_token_id: int,
    kind: str = SINGLE_LABEL,
) -> dict[str, Any]:
    """Evaluate the first texts alone, without padding, and in eights padded to the longest; compare these and `logits`.

    Args:
        evaluate: returns the logits of a batch, [texts, labels]; of words [words, labels].
        batches: all texts as the workload has them.
        logits: of all texts, or words, in those batches, likewise.
        pad_token_id: what to pad with.
        kind: how logits are evaluated; see `runner.config.task_kinds`.

    Returns:
        examples: how many texts, up to 128, or their words; texts come shuffled, so the first are a fair sample.
        changed_predictions: those that the three ways do not predict alike; None for vectors, which predict nothing.
        logit_difference: the largest between any two of them; None if one is not a finite number.
    """
    import numpy as np

    texts = _texts(batches)[:MAX_TEXTS]
    alone = [_batch([text], pad_token_id) for text in texts]
    eights = [_batch(texts[i : i + TEXTS_A_BATCH], pad_token_id) for i in range(0, len(texts), TEXTS_A_BATCH)]
    again = [np.concatenate([evaluate(batch) for batch in cut]) for cut in (alone, eights)]
    ways = [logits[: len(again[0])], *again]
    evaluated = np.stack(ways).astype(float)  # [ways, texts, labels]
    predictions = evaluated > 0 if kind == MULTI_LABEL else evaluated.argmax(axis=-1)
    changed = (predictions != predictions[0]).reshape(*evaluated.shape[:2], -1).any(axis=(0, 2))
    difference = float(np.ptp(evaluated, axis=0).max())
    return {
        "examples": evaluated.shape[1],
        "changed_predictions": None if kind == EMBEDDING else int(changed.sum()),
        "logit_difference": difference if np.isfinite(difference) else None,
    }


def _texts(batches: Sequence[Batch]) -> list[Batch]:
    """Return the inputs of each text, [tokens], without padding."""
    rows = [row for batch in batches for row in zip(*batch, strict=True)]
    return [tuple(part[row[1].astype(bool)] for part in row) for row in rows]


def _batch(texts: Sequence[Batch], pad_token_id: int) -> Batch:
    """Return the inputs of some texts, padded to the longest."""
    import numpy as np

    padding = (pad_token_id, 0, 0, 0)
    padded = [np.full((len(texts), max(len(text[0]) for text in texts)), value) for value in padding[: len(texts[0])]]
    for row, text in enumerate(texts):
        for array, part in zip(padded, text, strict=True):
            array[row, : len(part)] = part
    return tuple(padded)
