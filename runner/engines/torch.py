"""PyTorch in eager mode, with transformers, in the type of the checkpoint."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from runner.engines import main_precision
from runner.engines.checkpoint import load_checkpoint


class Engine:
    """Loads a checkpoint."""

    def __init__(self, artifact: Path, threads: int) -> None:
        torch.set_num_threads(threads)
        torch.set_num_interop_threads(1)
        self._model = load_checkpoint(artifact)

    def prepare(self, input_ids: np.ndarray, attention_mask: np.ndarray) -> dict[str, torch.Tensor]:
        """Wrap one batch, without a copy."""
        return {"input_ids": torch.from_numpy(input_ids), "attention_mask": torch.from_numpy(attention_mask)}

    def run(self, batch: dict[str, torch.Tensor]) -> Any:
        """One forward pass."""
        with torch.inference_mode():
            return self._model(**batch)

    def logits(self, output: Any) -> np.ndarray:
        """Unwrap."""
        array: np.ndarray = output.logits.float().numpy()
        return array

    def describe(self) -> dict[str, Any]:
        """Versions, threads, instruction set."""
        return {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "threads": torch.get_num_threads(),
            "instruction_set": torch.backends.cpu.get_cpu_capability(),
            "float32_matmul_precision": torch.get_float32_matmul_precision(),
        }

    def precision(self, batch: dict[str, torch.Tensor]) -> str | None:
        """The type of the linear layers' weights, by size; nothing here quantizes while it runs."""
        work: Counter[str] = Counter()
        for module in self._model.modules():
            if isinstance(module, torch.nn.Linear):
                work[str(module.weight.dtype).removeprefix("torch.")] += module.weight.numel()
        return main_precision(work)
