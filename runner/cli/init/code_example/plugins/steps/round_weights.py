"""A step of your own is a file with a dataclass. The fields of the class are the keys of the step in YAML.

It takes one format and gives one (checkpoint, onnx, torchscript, openvino …). `run` is called inside a box without a
network, which can import only this file and what the image holds. Put heavy imports into it. The hash of this file is
part of the artifact's record: when the file changes, the artifact is made again.
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
    """Rounds weights to fewer bits of mantissa. They take the same space, but compress better."""

    takes = "checkpoint"
    gives = "checkpoint"

    bits: int = 8

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 23:
            raise UserError(f"step 'round-weights': bits is {self.bits}, but must be 1 to 23.")

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Write the files of the new artifact into `target`, and return notes for its record."""
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
