"""What the steps from one ONNX graph to another share."""

from __future__ import annotations

from typing import Any

import numpy as np

from runner.engines import INPUTS

_VOCABULARY = 200  # ids below it are in any model's vocabulary


def largest_difference(one: Any, other: Any) -> float:
    """Return the largest absolute difference of two models' logits, with padding and without.

    Args:
        one, other: `onnx.ModelProto`s that take some of `INPUTS`, int64 [batch, length].
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
        token_types = np.zeros_like(input_ids)
        token_types[:, columns // 3 :] = 1
        given = dict(zip(INPUTS, (input_ids, attention_mask, token_types), strict=True))
        first, second = (
            session.run(None, {end.name: given[end.name] for end in session.get_inputs()})[0] for session in sessions
        )
        worst = max(worst, float(np.abs(first - second).max()))
    return worst
