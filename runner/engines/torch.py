"""PyTorch in eager mode, with transformers, in the type of the checkpoint."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from runner.engines.checkpoint import load_checkpoint
from runner.engines.engine import main_precision
from runner.engines.pytorch import PyTorch


class Engine(PyTorch):
    """Loads a checkpoint."""

    def load(self, artifact: Path) -> Any:
        """Read config and weights."""
        return load_checkpoint(artifact)

    def logits(self, output: Any) -> np.ndarray:
        """Unwrap."""
        return super().logits(output.logits)

    def describe(self) -> dict[str, Any]:
        """Versions, threads, instruction set."""
        return super().describe() | {
            "transformers": transformers.__version__,
            "float32_matmul_precision": torch.get_float32_matmul_precision(),
        }

    def precision(self, batch: dict[str, torch.Tensor]) -> str | None:
        """The type of the linear layers' weights, by size; nothing here quantizes while it runs."""
        work: Counter[str] = Counter()
        for module in self._model.modules():
            if isinstance(module, torch.nn.Linear):
                work[str(module.weight.dtype).removeprefix("torch.")] += module.weight.numel()
        return main_precision(work)
