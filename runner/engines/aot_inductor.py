"""AOTInductor: a compiled model, run by PyTorch without transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch._inductor


class Engine:
    """Loads a compiled package."""

    def __init__(self, artifact: Path, threads: int) -> None:
        torch.set_num_threads(threads)
        torch.set_num_interop_threads(1)
        self._model = torch._inductor.aoti_load_package(str(artifact / "model.pt2"))

    def prepare(self, input_ids: np.ndarray, attention_mask: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Wrap one batch, without a copy."""
        return torch.from_numpy(input_ids), torch.from_numpy(attention_mask)

    def run(self, batch: tuple[torch.Tensor, torch.Tensor]) -> Any:
        """One forward pass."""
        with torch.inference_mode():
            return self._model(*batch)

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

    def precision(self, batch: tuple[torch.Tensor, torch.Tensor]) -> str | None:
        """Machine code does not tell."""
        return None
