"""Export a checkpoint to OpenVINO's intermediate representation from a trace of torch
(https://docs.openvino.ai/2026/openvino-workflow/model-preparation/convert-model-pytorch.html).

OpenVINO's converter keeps PyTorch's attention as one operation and needs no ONNX file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.models.inputs import INPUTS
from runner.techniques.openvino.openvino_graphs import import_openvino, save
from runner.techniques.step import Step, StepInputs, step

if TYPE_CHECKING:
    import torch


@step("openvino-export")
@dataclass
class OpenVinoExport(Step):
    """checkpoint → openvino, with a free batch size and length. The weights stay in float32."""

    takes = "checkpoint"
    gives = "openvino"
    packages = ("openvino",)
    keeps_predictions = True

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Export the model, and compare it with the checkpoint on inputs of other shapes.

        Raises:
            ValueError: if the exported model's logits differ.
        """
        import torch

        from runner.engines.openvino import Engine
        from runner.techniques.torch.tracing import example, exporting, largest_difference, load_logits

        assert inputs.source is not None
        openvino = import_openvino()
        model = load_logits(inputs.source, attention="eager" if _slides(inputs.source) else "sdpa")
        anything = openvino.PartialShape([-1, -1])
        with exporting(self.name, model), torch.inference_mode():
            exported = openvino.convert_model(
                model,
                example_input=example(model, 3, 77),
                input=[(name, anything) for name in model.inputs()],
            )
            exported.outputs[0].get_tensor().set_names({"logits"})
            save(exported, target)
            engine = Engine(target, inputs.threads)

        def run(**inputs: torch.Tensor) -> torch.Tensor:
            batch = engine.prepare(*(inputs[name].numpy() for name in INPUTS if name in inputs))
            return torch.from_numpy(engine.logits(engine.run(batch)))

        with exporting(self.name, model):
            return {"largest_logit_difference": largest_difference(model, run)}


def _slides(checkpoint: Path) -> bool:
    """Return whether a layer's tokens attend only to tokens near them.

    Padding far from the text then attends to no token. OpenVINO's attention operation gives NaN for it, which spreads.
    """
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    return "sliding_attention" in (config.get("layer_types") or [])
