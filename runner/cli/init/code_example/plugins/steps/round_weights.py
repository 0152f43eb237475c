"""A step of your own: one file with a dataclass, whose fields are its keys in YAML.

It takes a format and gives one (checkpoint, onnx, torchscript, openvino …). `run` happens inside a box, without a
network, where only this file and what the image holds can be imported; heavy imports belong there. This file's hash is
part of the artifact's record: change it, and the artifact is made anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import UserError
from runner.techniques.step import Step, StepInputs, step


@step("round-weights")
@dataclass
class RoundWeights(Step):
    """Weights with fewer bits of mantissa: they take the same room, and compress better."""

    takes = "checkpoint"
    gives = "checkpoint"

    bits: int = 8

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 23:
            raise UserError(f"step 'round-weights': bits is {self.bits}, but must be 1 to 23.")

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Write the new artifact's files into `target`; return notes for its record."""
        import torch

        from runner.engines.checkpoint import load_checkpoint, save_checkpoint

        assert inputs.source is not None
        model = load_checkpoint(inputs.source)
        largest = 0.0
        with torch.no_grad():
            for weight in model.parameters():
                mantissa, exponent = torch.frexp(weight)
                rounded = torch.ldexp(torch.round(mantissa * 2**self.bits) / 2**self.bits, exponent)
                largest = max(largest, float((rounded - weight).abs().max()))
                weight.copy_(rounded)
        save_checkpoint(model, target, tokenizer_from=inputs.source)
        return {"largest_change": largest}
