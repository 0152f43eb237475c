"""Export a checkpoint to ONNX (https://onnx.ai) with torch's tracing exporter and eager attention.

That pair gives the graph whose attention ONNX Runtime fuses; the newer exporter's graph is not fused, so it is only
tried for what the tracing one cannot export (https://docs.pytorch.org/docs/stable/onnx.html).
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import UserError
from runner.techniques.shape import Shape, check_first_token
from runner.techniques.step import Step, StepInputs, step

if TYPE_CHECKING:
    import torch

    from runner.techniques.torch.tracing import Logits

MODEL = "model.onnx"
_MIN_OPSET = 18  # of the newer exporter


@step("onnx-export")
@dataclass
class OnnxExport(Step):
    """checkpoint → onnx, with a free batch size and length.

    Attributes:
        opset: version of ONNX's operators.
        first_token: leave out of the last layer what only other tokens than the first need, which no classifier of
            BERT's kind reads: the same logits in less time; see `runner.techniques.torch.first_token`.
    """

    takes = "checkpoint"
    gives = "onnx"
    keeps_predictions = True

    opset: int = 17
    first_token: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.opset, int) and not 14 <= self.opset <= 20:
            raise UserError(f"step 'onnx-export': opset is {self.opset}, but must be from 14 to 20.")

    @property
    def first_token_only(self) -> bool:
        """See `first_token`."""
        return self.first_token

    def infer_shape(self, shape: Shape) -> Shape:
        """The same shape, if attention is as BERT's where the first token is to be told from the others."""
        if self.first_token:
            check_first_token(shape, self.name)
        return shape

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Export and compare with the checkpoint on other shapes.

        Raises:
            UserError: naming the operator that cannot be exported.
            ValueError: if the exported graph's logits differ.
        """
        import onnx
        import torch

        from runner.techniques.onnx.onnx_graphs import fold_products, without_identities
        from runner.techniques.torch.first_token import read_first_token
        from runner.techniques.torch.tracing import exporting, largest_difference, load_logits

        assert inputs.source is not None
        model = load_logits(inputs.source, attention="eager")
        served = load_logits(inputs.source, attention="eager") if self.first_token else model
        if self.first_token:
            read_first_token(served.model)
        with exporting(self.name, model), torch.inference_mode():
            exporter = self._export(served, target / MODEL)
            graph = onnx.load(target / MODEL)
            without_identities(graph)
            fold_products(graph)
            onnx.save(graph, target / MODEL)
            difference = largest_difference(model, exported(target / MODEL))
        return {"exporter": exporter, "largest_logit_difference": difference}

    def _export(self, model: Logits, path: Path) -> str:
        """Export with the first exporter that can; return which."""
        import torch

        try:
            export_traced(model, path, self.opset)
        except torch.onnx.errors.UnsupportedOperatorError as error:
            export_captured(model, path, max(self.opset, _MIN_OPSET), _operator(error))
            return "captured"
        return "traced"


def exported(path: Path) -> Callable[..., torch.Tensor]:
    """Return an ONNX model as a function of its inputs (int64, [batch, length], by name) to logits."""
    import onnxruntime
    import torch

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def logits(**inputs: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(session.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})[0])

    return logits


def export_traced(model: Logits, path: Path, opset: int) -> None:
    """Export with the tracing exporter.

    Raises:
        torch.onnx.errors.UnsupportedOperatorError: if the model has an operator that this exporter does not know.
    """
    import torch

    from runner.techniques.torch.tracing import example

    tokens = {0: "batch", 1: "length"}
    told = tokens if model.of_tokens else {0: "batch"}
    torch.onnx.export(
        model,
        (),
        str(path),
        kwargs=example(model, 3, 77),
        input_names=model.inputs(),
        output_names=["logits"],
        dynamic_axes=dict.fromkeys(model.inputs(), tokens) | {"logits": told},
        opset_version=opset,
        dynamo=False,
    )


def export_captured(model: Logits, path: Path, opset: int, operator: str) -> None:
    """Export with the newer exporter, which captures the whole model with `torch.export` first.

    Args:
        model: to export.
        path: of the file to write.
        opset: version of ONNX's operators, at least 18.
        operator: the one that the tracing exporter does not know.

    Raises:
        UserError: if this exporter cannot either, or lacks the package it needs.
    """
    import torch

    from runner.techniques.torch.tracing import example

    reason = f"step 'onnx-export': torch's tracing exporter cannot export the operator {operator}"
    if importlib.util.find_spec("onnxscript") is None:
        raise UserError(f"{reason}, and its newer exporter needs the package onnxscript, which is not installed.")
    tokens = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length")}
    try:
        torch.onnx.export(
            model,
            (),
            str(path),
            kwargs=example(model, 3, 77),
            input_names=model.inputs(),
            output_names=["logits"],
            dynamic_shapes=dict.fromkeys(model.inputs(), tokens),
            opset_version=opset,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    except torch.onnx.OnnxExporterError as error:
        said = re.sub(r"\x1b\[\d+m", "", str(error)).strip().splitlines()[0]  # it comes in colours
        raise UserError(f"{reason}, and its newer exporter cannot export the model: {said}") from error


def _operator(error: Exception) -> str:
    """Return the name of the operator that an error of the tracing exporter is about, such as aten::cosh."""
    named = re.search(r"'([\w:]+)'", str(error))
    return named[1] if named else str(error).splitlines()[0]
