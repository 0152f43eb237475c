"""Run a checkpoint with transformers and PyTorch in eager mode, in the type of its weights."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch

from runner.engines.checkpoint import load_checkpoint
from runner.engines.engine import main_precision
from runner.engines.lean_transformers import transformers
from runner.engines.pytorch import PyTorch


class Engine(PyTorch):
    """An engine for checkpoints."""

    def load(self, artifact: Path) -> Any:
        """Read the config and the weights."""
        return load_checkpoint(artifact)

    def logits(self, output: Any) -> np.ndarray:
        """Return the output's logits as an array."""
        return super().logits(output.logits)

    def describe(self) -> dict[str, Any]:
        """Return the versions, the threads, the instruction set and the precision of products."""
        return super().describe() | {
            "transformers": transformers.__version__,
            "float32_matmul_precision": torch.get_float32_matmul_precision(),
        }

    def precision(self, batch: dict[str, torch.Tensor]) -> str | None:
        """Return the type of the linear layers' weights, weighted by size. Nothing is quantized at run time."""
        work: Counter[str] = Counter()
        for module in self._model.modules():
            if isinstance(module, torch.nn.Linear):
                work[str(module.weight.dtype).removeprefix("torch.")] += module.weight.numel()
        return main_precision(work)
