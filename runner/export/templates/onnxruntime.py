from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime


def load(folder: Path, threads: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Return the model as a function of input_ids and attention_mask to logits [texts, labels]."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
    return lambda ids, mask: session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
