"""What the steps from one ONNX graph to another share."""

from __future__ import annotations

from typing import Any

import numpy as np

_VOCABULARY = 200  # ids below it are in any model's vocabulary


def largest_difference(one: Any, other: Any) -> float:
    """Return the largest absolute difference of two models' logits, with padding and without.

    Args:
        one, other: `onnx.ModelProto`s that take input_ids and attention_mask, int64 [batch, length].
    """
    import onnxruntime

    sessions = [
        onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        for model in (one, other)
    ]
    generator = np.random.default_rng(0)
    worst = 0.0
    for rows, columns in ((1, 9), (3, 33)):
        input_ids = generator.integers(5, _VOCABULARY, (rows, columns))
        attention_mask = np.ones_like(input_ids)
        attention_mask[1:, columns // 2 :] = 0
        first, second = (
            session.run(None, {"input_ids": input_ids, "attention_mask": attention_mask})[0] for session in sessions
        )
        worst = max(worst, float(np.abs(first - second).max()))
    return worst
