"""Run a TorchScript model with PyTorch but without transformers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import torch

from runner.engines.engine import check_inputs, main_precision
from runner.engines.pytorch import PyTorch


class Engine(PyTorch):
    """An engine for traced and frozen models."""

    def load(self, artifact: Path) -> Any:
        """Read the graph and the weights, and check the names of the inputs."""
        path = artifact / "model.torchscript.pt"
        model = torch.jit.load(str(path), map_location="cpu")
        check_inputs([argument.name for argument in model.forward.schema.arguments[1:]], path)
        return model

    def describe(self) -> dict[str, Any]:
        """Return the version, the threads, the instruction set and the quantized engine."""
        return super().describe() | {"quantized_engine": torch.backends.quantized.engine}

    def precision(self, batch: dict[str, torch.Tensor]) -> str | None:
        """Return the precision of the linear layers. Each counts once, because a packed int8 weight hides its size."""
        work: Counter[str] = Counter()
        for node in self._model.inlined_graph.nodes():
            if node.kind().startswith("quantized::linear"):
                work["int8"] += 1
            elif node.kind() == "aten::linear":
                weight = list(node.inputs())[1].toIValue()  # a constant, because the graph is frozen
                work[str(weight.dtype).removeprefix("torch.")] += 1
        return main_precision(work)
