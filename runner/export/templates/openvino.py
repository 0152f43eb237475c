import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np


def load(folder: Path, threads: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Return the model as a function of input_ids and attention_mask to logits [texts, labels]."""
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
    return lambda ids, mask: request.infer({"input_ids": ids, "attention_mask": mask})[0]
