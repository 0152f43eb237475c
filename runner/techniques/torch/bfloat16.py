"""Round a checkpoint to bfloat16 (https://docs.pytorch.org/docs/stable/tensor_attributes.html#torch.dtype).

Half the size; and fast where the CPU multiplies bfloat16 (AVX-512 BF16, AMX). Elsewhere it is slower than float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.techniques.step import Step, StepInputs, step


@step("bfloat16")
@dataclass
class BFloat16(Step):
    """checkpoint → checkpoint, all weights and so all activations in bfloat16, an 8-bit mantissa.

    It comes last of the steps on a checkpoint, and ONNX Runtime has no bfloat16 kernels for CPUs.
    """

    takes = "checkpoint"
    gives = "checkpoint"
    allows_next = ("torchscript",)

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Round, save; return how far logits are from those of the original, at most."""
        import torch

        from runner.engines.checkpoint import save_checkpoint
        from runner.techniques.torch.tracing import Logits, largest_difference, load_logits

        assert inputs.source is not None
        torch.set_num_threads(inputs.threads)
        original = load_logits(inputs.source, attention="sdpa")
        rounded = load_logits(inputs.source, attention="sdpa").to(torch.bfloat16)
        assert isinstance(rounded, Logits)
        rounded.model.config.dtype = torch.bfloat16
        save_checkpoint(rounded.model, target, tokenizer_from=inputs.source)
        return {"largest_logit_difference": largest_difference(original, rounded, tolerance=None)}
