import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np


def load(folder: Path, threads: int) -> Callable[[dict[str, np.ndarray]], np.ndarray]:
    """Return the model: a function that takes the inputs of a call by name and returns logits."""
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # or openvino sends usage statistics
    import openvino

    properties = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,
        "INFERENCE_PRECISION_HINT": "f32",  # else it takes bfloat16 where the CPU has it
    }
    compiled = openvino.Core().compile_model(folder / "model.xml", "CPU", properties)
    request = compiled.create_infer_request()
    return lambda inputs: request.infer(inputs)[0]
