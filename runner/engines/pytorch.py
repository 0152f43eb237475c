"""What the engines that run in PyTorch share: threads, tensors without a copy, one forward pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from runner.engines.engine import named


class PyTorch:
    """Calls a loaded model with its inputs by name; a subclass has a method `load` that loads one."""

    def __init__(self, artifact: Path, threads: int) -> None:
        torch.set_num_threads(threads)
        torch.set_num_interop_threads(1)
        self._model = self.load(artifact)

    def load(self, artifact: Path) -> Any:
        """Return the artifact's model, a function of its inputs by the names of `INPUTS`."""
        raise NotImplementedError

    def prepare(self, *inputs: np.ndarray) -> dict[str, torch.Tensor]:
        """Wrap one batch, without a copy."""
        return named(map(torch.from_numpy, inputs))

    def run(self, batch: dict[str, torch.Tensor]) -> Any:
        """One forward pass."""
        with torch.inference_mode():
            return self._model(**batch)

    def logits(self, output: Any) -> np.ndarray:
        """Unwrap."""
        array: np.ndarray = output.float().numpy()
        return array

    def describe(self) -> dict[str, Any]:
        """Versions, threads, instruction set."""
        return {
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "instruction_set": torch.backends.cpu.get_cpu_capability(),
        }
