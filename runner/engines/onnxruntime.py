"""ONNX Runtime: neither torch nor transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime


class Engine:
    """Loads an ONNX model."""

    def __init__(self, artifact: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads  # its default ignores the cpuset
        options.inter_op_num_threads = 1
        self._threads = threads
        self._session = onnxruntime.InferenceSession(
            artifact / "model.onnx", options, providers=["CPUExecutionProvider"]
        )

    def prepare(self, input_ids: np.ndarray, attention_mask: np.ndarray) -> dict[str, np.ndarray]:
        """Name the two inputs."""
        return {"input_ids": input_ids, "attention_mask": attention_mask}

    def run(self, batch: dict[str, np.ndarray]) -> Any:
        """One call of the session."""
        return self._session.run(None, batch)

    def logits(self, output: Any) -> np.ndarray:
        """Take the first output."""
        array: np.ndarray = output[0]
        return array

    def describe(self) -> dict[str, Any]:
        """Versions and threads; ONNX Runtime does not tell its instruction set, it takes the CPU's best."""
        return {"onnxruntime": onnxruntime.__version__, "threads": self._threads}
