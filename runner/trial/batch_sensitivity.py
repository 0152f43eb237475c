"""Measure whether predictions depend on the other texts of a batch, or on padding.

Dynamic int8 computes one scale per tensor from the activations of all texts in a batch, including the padding
(https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html). So the logits of a text may depend on
the rest of its batch. In float32 only the order of additions differs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from runner.config.task_kinds import LABELLED, MULTI_LABEL, SINGLE_LABEL

if TYPE_CHECKING:
    import numpy as np

#: input_ids, attention_mask, perhaps token_type_ids, and perhaps the starts of words; each is int64 [texts, length]
Batch = tuple["np.ndarray", ...]

MAX_TEXTS = 128
BATCH_SIZE = 8


def compare_batchings(
    evaluate: Callable[[Batch], np.ndarray],
    batches: Sequence[Batch],
    logits: np.ndarray,
    pad_token_id: int,
    kind: str = SINGLE_LABEL,
) -> dict[str, Any]:
    """Evaluate the first texts in three batchings, and compare their logits and predictions.

    The batchings are: as the workload has them (`logits`), each text alone without padding, and batches of eight texts
    that are padded to the longest.

    Args:
        evaluate: a function that returns the logits of a batch, [texts, labels], or [words, labels] for words.
        batches: all texts in the batches of the workload.
        logits: the logits of all texts, or of all words, in those batches.
        pad_token_id: the id of the padding token.
        kind: the kind of the task, which decides how logits predict; see `runner.config.task_kinds`.

    Returns:
        examples: the number of compared texts, up to 128, or of their words. Texts are in random order, so the first
            texts are a fair sample.
        changed_predictions: the number of texts or words whose predictions are not the same in all batchings. It is
            None for vectors, which predict nothing.
        logit_difference: the largest difference between two batchings, or None if a logit is not finite.
    """
    import numpy as np

    texts = _texts(batches)[:MAX_TEXTS]
    alone = [_batch([text], pad_token_id) for text in texts]
    eights = [_batch(texts[i : i + BATCH_SIZE], pad_token_id) for i in range(0, len(texts), BATCH_SIZE)]
    others = [np.concatenate([evaluate(batch) for batch in batching]) for batching in (alone, eights)]
    by_batching = np.stack([logits[: len(others[0])], *others]).astype(float)  # [batchings, texts, labels]
    predictions = by_batching > 0 if kind == MULTI_LABEL else by_batching.argmax(axis=-1)
    changed = (predictions != predictions[0]).reshape(*by_batching.shape[:2], -1).any(axis=(0, 2))
    difference = float(np.ptp(by_batching, axis=0).max())
    return {
        "examples": by_batching.shape[1],
        "changed_predictions": int(changed.sum()) if kind in LABELLED else None,
        "logit_difference": difference if np.isfinite(difference) else None,
    }


def _texts(batches: Sequence[Batch]) -> list[Batch]:
    """Return the inputs of each text, [tokens], without padding."""
    rows = [row for batch in batches for row in zip(*batch, strict=True)]
    return [tuple(part[row[1].astype(bool)] for part in row) for row in rows]


def _batch(texts: Sequence[Batch], pad_token_id: int) -> Batch:
    """Return the inputs of some texts as one batch, padded to the longest text."""
    import numpy as np

    padding = (pad_token_id, 0, 0, 0)
    padded = [np.full((len(texts), max(len(text[0]) for text in texts)), value) for value in padding[: len(texts[0])]]
    for row, text in enumerate(texts):
        for array, part in zip(padded, text, strict=True):
            array[row, : len(part)] = part
    return tuple(padded)
