"""Export a checkpoint to ONNX (https://onnx.ai) with torch's tracing exporter and eager attention.

That pair gives the graph whose attention ONNX Runtime fuses; the newer exporter's graph is not fused.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import UserError
from runner.techniques import Step, StepInputs, step

MODEL = "model.onnx"


@step("onnx-export")
@dataclass
class OnnxExport(Step):
    """checkpoint → onnx, with a free batch size and length."""

    takes = "checkpoint"
    gives = "onnx"

    opset: int = 17

    def __post_init__(self) -> None:
        if isinstance(self.opset, int) and not 14 <= self.opset <= 20:
            raise UserError(f"step 'onnx-export': opset is {self.opset}, but must be from 14 to 20.")

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Export and compare with the checkpoint on other shapes."""
        import onnxruntime
        import torch

        from runner.techniques.tracing import example, largest_difference, load_logits

        assert inputs.source is not None
        model = load_logits(inputs.source, attention="eager")
        tokens = {0: "batch", 1: "length"}
        with torch.inference_mode():
            torch.onnx.export(
                model,
                example(model, 3, 77),
                str(target / MODEL),
                input_names=["input_ids", "attention_mask"],
                output_names=["logits"],
                dynamic_axes={"input_ids": tokens, "attention_mask": tokens, "logits": {0: "batch"}},
                opset_version=self.opset,
                dynamo=False,
            )
        session = onnxruntime.InferenceSession(target / MODEL, providers=["CPUExecutionProvider"])

        def exported(input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            feed = {"input_ids": input_ids.numpy(), "attention_mask": attention_mask.numpy()}
            return torch.from_numpy(session.run(None, feed)[0])

        return {"largest_logit_difference": largest_difference(model, exported)}
