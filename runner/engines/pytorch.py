"""The common part of the engines that run in PyTorch: threads, tensors without a copy, and a forward pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from runner.engines.engine import named


class PyTorch:
    """An engine that calls a loaded model with its inputs by name. Subclasses implement `load`."""

    def __init__(self, artifact: Path, threads: int) -> None:
        torch.set_num_threads(threads)
        torch.set_num_interop_threads(1)
        self._model = self.load(artifact)

    def load(self, artifact: Path) -> Any:
        """Return the artifact's model, which takes its inputs by the names in `INPUTS`."""
        raise NotImplementedError

    def prepare(self, *inputs: np.ndarray) -> dict[str, torch.Tensor]:
        """Wrap a batch without a copy."""
        return named(map(torch.from_numpy, inputs))

    def run(self, batch: dict[str, torch.Tensor]) -> Any:
        """Run one forward pass."""
        with torch.inference_mode():
            return self._model(**batch)

    def logits(self, output: Any) -> np.ndarray:
        """Return the output as an array."""
        array: np.ndarray = output.float().numpy()
        return array

    def describe(self) -> dict[str, Any]:
        """Return the version, the threads and the instruction set."""
        return {
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "instruction_set": torch.backends.cpu.get_cpu_capability(),
        }
