"""Dynamic int8 quantization of linear layers in PyTorch, traced to TorchScript.

Weights are stored as int8, activations quantized at run time
(https://docs.pytorch.org/docs/stable/quantization.html). Embeddings stay float32. A quantized model cannot be saved as
safetensors, hence TorchScript.
"""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.techniques.step import Step, StepInputs, step
from runner.techniques.torch.torchscript import MODEL, save_traced


@step("torch-dynamic-int8")
@dataclass
class TorchDynamicInt8(Step):
    """checkpoint → torchscript, linear layers in int8."""

    takes = "checkpoint"
    gives = "torchscript"

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Quantize, trace, freeze, save; the difference of logits is noted, not limited."""
        import torch

        from runner.techniques.torch.tracing import Logits, load_logits

        assert inputs.source is not None
        original = load_logits(inputs.source, attention="sdpa")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # torchao, its successor, is no faster on CPUs
            quantized = torch.ao.quantization.quantize_dynamic(
                copy.deepcopy(original.model), {torch.nn.Linear}, dtype=torch.qint8
            )
        return save_traced(self.name, original, Logits(quantized).eval(), target / MODEL, tolerance=None)
