"""Trace a checkpoint to TorchScript and freeze it (https://docs.pytorch.org/docs/stable/jit.html)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.techniques.step import Step, StepInputs, step

MODEL = "model.torchscript.pt"


@step("torchscript")
@dataclass
class TorchScript(Step):
    """checkpoint → torchscript; runs without transformers."""

    takes = "checkpoint"
    gives = "torchscript"
    keeps_predictions = True

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Trace, freeze, compare with the checkpoint, save."""
        from runner.techniques.torch.tracing import load_logits

        assert inputs.source is not None
        model = load_logits(inputs.source, attention="sdpa")
        return save_traced(self.name, model, model, target / MODEL)


def save_traced(step: str, original: Any, model: Any, path: Path, tolerance: float | None = 1e-3) -> dict[str, Any]:
    """Trace and freeze `model` into `path`, in a step of this name; return how far its logits are from those of
    `original`."""
    import torch

    from runner.techniques.torch.tracing import example, exporting, largest_difference

    with exporting(step, original), torch.inference_mode():
        traced = torch.jit.trace(model, example_kwarg_inputs=example(original, 3, 77), check_trace=False)
        frozen = torch.jit.freeze(traced)
        frozen.save(str(path))
        return {"largest_logit_difference": largest_difference(original, frozen, tolerance)}
