"""Export a checkpoint to ONNX (https://onnx.ai) with torch's tracing exporter and eager attention.

This combination gives a graph whose attention ONNX Runtime fuses. It does not fuse the newer exporter's graph, so that
exporter is tried only for models that the tracing one cannot export
(https://docs.pytorch.org/docs/stable/onnx.html).
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import UserError, first_line
from runner.techniques.shape import Shape, check_first_token
from runner.techniques.step import Step, StepInputs, step

if TYPE_CHECKING:
    import torch

    from runner.techniques.torch.tracing import Logits

MODEL = "model.onnx"
_MIN_OPSET = 18  # the newer exporter supports no older one


@step("onnx-export")
@dataclass
class OnnxExport(Step):
    """checkpoint → onnx, with a free batch size and length.

    Attributes:
        opset: the version of ONNX's operators.
        first_token: whether the last layer computes only the first token, since classifiers like BERT's read no other.
            The logits stay the same and take less time; see `runner.techniques.torch.first_token`.
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
        """Check that `first_token` fits the model's attention."""
        if self.first_token:
            check_first_token(shape, self.name)
        return shape

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Export the model, and compare it with the checkpoint on inputs of other shapes.

        Raises:
            UserError: if an operator cannot be exported. The message names it.
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
        """Export with the tracing exporter, or with the newer one if that fails, and return which one it was."""
        import torch

        try:
            export_traced(model, path, self.opset)
        except torch.onnx.errors.UnsupportedOperatorError as error:
            export_captured(model, path, max(self.opset, _MIN_OPSET), _operator(error))
            return "captured"
        return "traced"


def exported(path: Path) -> Callable[..., torch.Tensor]:
    """Return a function that runs an ONNX model: it takes int64 [batch, length] inputs by name and returns logits."""
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
    logits = tokens if model.of_tokens else {0: "batch"}
    torch.onnx.export(
        model,
        (),
        str(path),
        kwargs=example(model, 3, 77),
        input_names=model.inputs(),
        output_names=["logits"],
        dynamic_axes=dict.fromkeys(model.inputs(), tokens) | {"logits": logits},
        opset_version=opset,
        dynamo=False,
    )


def export_captured(model: Logits, path: Path, opset: int, operator: str) -> None:
    """Export with the newer exporter, which captures the whole model with `torch.export` first.

    Args:
        model: the model to export.
        path: the file to write.
        opset: the version of ONNX's operators, at least 18.
        operator: the operator that the tracing exporter does not know.

    Raises:
        UserError: if this exporter cannot export the model either, or if the package onnxscript is missing.
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
        message = re.sub(r"\x1b\[\d+m", "", first_line(error))  # it contains colour codes
        raise UserError(f"{reason}, and its newer exporter cannot export the model: {message}.") from error


def _operator(error: Exception) -> str:
    """Return the operator that an error of the tracing exporter names, such as aten::cosh."""
    operator = re.search(r"'([\w:]+)'", str(error))
    return operator[1] if operator else first_line(error)
