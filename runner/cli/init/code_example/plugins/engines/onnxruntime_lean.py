"""An engine of your own is a module with FORMAT and a class Engine. runner/engines/engine.py says what that must have.

A trial imports nothing else, so import only the runtime here. In a container, the runtime must be in the image.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnxruntime

from runner.engines.onnxruntime import Engine as OnnxRuntime

FORMAT = "onnx"  # the format that it loads


class Engine(OnnxRuntime):
    """Runs ONNX Runtime without its memory arena, which takes less memory but allocates in each call."""

    def __init__(self, artifact: Path, threads: int) -> None:
        super().__init__(artifact, threads)

    def _start(self, options: Any) -> Any:
        options.enable_cpu_mem_arena = False
        return onnxruntime.InferenceSession(self._model, options, providers=["CPUExecutionProvider"])

    def describe(self) -> dict[str, Any]:
        """Return the settings that are really in use."""
        return super().describe() | {"arena": "off"}
