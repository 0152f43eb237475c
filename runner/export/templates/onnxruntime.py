from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime


def load(folder: Path, threads: int) -> Callable[[dict[str, np.ndarray]], np.ndarray]:
    """Return the model: a function that takes the inputs of a call by name and returns logits."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, inputs)[0]
