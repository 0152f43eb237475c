"""TorchScript: PyTorch without transformers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch

from runner.engines import main_precision


class Engine:
    """Loads a traced and frozen model."""

    def __init__(self, artifact: Path, threads: int) -> None:
        torch.set_num_threads(threads)
        torch.set_num_interop_threads(1)
        self._model = torch.jit.load(str(artifact / "model.torchscript.pt"), map_location="cpu")

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
            "quantized_engine": torch.backends.quantized.engine,
        }

    def precision(self, batch: tuple[torch.Tensor, torch.Tensor]) -> str | None:
        """What the graph's linear layers compute in; each counts once, as a packed int8 weight hides its size."""
        work: Counter[str] = Counter()
        for node in self._model.inlined_graph.nodes():
            if node.kind().startswith("quantized::linear"):
                work["int8"] += 1
            elif node.kind() == "aten::linear":
                weight = list(node.inputs())[1].toIValue()  # frozen, so a constant
                work[str(weight.dtype).removeprefix("torch.")] += 1
        return main_precision(work)
