"""TorchScript: PyTorch without transformers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import torch

from runner.engines.engine import check_inputs, main_precision
from runner.engines.pytorch import PyTorch


class Engine(PyTorch):
    """Loads a traced and frozen model."""

    def load(self, artifact: Path) -> Any:
        """Read graph and weights, and check the names of its inputs."""
        path = artifact / "model.torchscript.pt"
        model = torch.jit.load(str(path), map_location="cpu")
        check_inputs([argument.name for argument in model.forward.schema.arguments[1:]], path)
        return model

    def describe(self) -> dict[str, Any]:
        """Versions, threads, instruction set."""
        return super().describe() | {"quantized_engine": torch.backends.quantized.engine}

    def precision(self, batch: dict[str, torch.Tensor]) -> str | None:
        """What the graph's linear layers compute in; each counts once, as a packed int8 weight hides its size."""
        work: Counter[str] = Counter()
        for node in self._model.inlined_graph.nodes():
            if node.kind().startswith("quantized::linear"):
                work["int8"] += 1
            elif node.kind() == "aten::linear":
                weight = list(node.inputs())[1].toIValue()  # frozen, so a constant
                work[str(weight.dtype).removeprefix("torch.")] += 1
        return main_precision(work)
