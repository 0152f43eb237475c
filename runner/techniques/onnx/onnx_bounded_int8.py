"""Quantize an ONNX model to dynamic int8, except for what would cost too much accuracy.

This is partial quantization (H. Wu et al., "Integer quantization for deep learning inference", arXiv:2004.09602,
section 5.2). A sensitivity analysis quantizes one layer at a time, and sorts the layers by how far the logits move. A
binary search then finds how many of the most sensitive layers must stay in float32. Both use the validation texts, or
the training texts if there are none, and never the test texts. So the bound holds only for these texts. The verdict on
the quality says whether it holds for the test texts.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from runner.config.task_kinds import SINGLE_LABEL
from runner.errors import UserError
from runner.techniques.onnx.onnx_dynamic_int8 import OnnxDynamicInt8
from runner.techniques.onnx.onnx_export import MODEL
from runner.techniques.onnx.onnx_static_int8 import encode
from runner.techniques.onnx.selection import SelectionTexts, selection_texts
from runner.techniques.shape import Shape, check_tokens
from runner.techniques.step import StepInputs, step


@step("onnx-bounded-int8")
@dataclass
class OnnxBoundedInt8(OnnxDynamicInt8):
    """onnx → onnx, as onnx-dynamic-int8, but the layers that cost the most accuracy stay in float32, until no more than
    `margin` is lost on the validation texts.

    Attributes:
        margin: the largest loss of accuracy that is allowed, in points as quality.margin.
        samples: the most validation or training texts to evaluate.
        max_length: the number of tokens to which a text is cut.
    """

    kinds = (SINGLE_LABEL,)  # the accuracy of others would need another definition
    reads_texts = True
    reads_labels = True
    reads_tokenizer = True

    margin: float = 1.0
    samples: int = 500
    max_length: int = 128

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.margin, float) and not 0 <= self.margin < 100:
            raise UserError(f"step '{self.name}': margin is {self.margin:g}, but must be from 0 to below 100 points.")
        for key, least in (("samples", 1), ("max_length", 3)):
            value = getattr(self, key)
            if isinstance(value, int) and value < least:
                raise UserError(f"step '{self.name}': {key} is {value}, but must be at least {least}.")

    def infer_shape(self, shape: Shape) -> Shape:
        """Check that the model takes texts of `max_length`."""
        check_tokens(shape, self.name, self.max_length)
        return shape

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Quantize the graph, and return what stays in float32 and the accuracies that decided it."""
        assert inputs.source is not None
        assert inputs.checkpoint is not None
        texts = selection_texts(inputs.texts, self.samples)
        with tempfile.TemporaryDirectory() as folder:
            trials = _Trials(self, inputs.source / MODEL, Path(folder), texts, inputs)
            left, accuracy = self._left(trials, inputs)
            self.quantize(trials.load(), target / MODEL, left)
        return {
            "texts": len(texts.labels),
            "split": texts.split,
            "accuracy_in_float32": texts.accuracy(trials.exact),
            "accuracy": accuracy,
            "layers": len(trials.layers),
            "left_in_float32": list(left),
        }

    def _left(self, trials: _Trials, inputs: StepInputs) -> tuple[Sequence[str], float]:
        """Return the layers that stay in float32, and the accuracy with them."""
        enough = trials.texts.accuracy(trials.exact) - self.margin / 100
        accuracy = trials.accuracy(())
        if accuracy >= enough:
            return (), accuracy
        ranked = trials.by_sensitivity(inputs)
        low, high, reached = 0, len(ranked), trials.texts.accuracy(trials.exact)  # low are too few, and high are enough
        while high - low > 1:
            middle = (low + high) // 2
            inputs.report(f"with {middle} of {len(ranked)} layers in float32")
            accuracy = trials.accuracy(ranked[:middle])
            if accuracy >= enough:
                high, reached = middle, accuracy
            else:
                low = middle
        return ranked[:high], reached


class _Trials:
    """Quantizes a graph with some layers left out, and evaluates it.

    Attributes:
        texts: the texts.
        exact: the logits of the graph in float32, [texts, labels].
        layers: the names of the nodes that can be quantized.
    """

    def __init__(
        self, bounded: OnnxBoundedInt8, path: Path, folder: Path, texts: SelectionTexts, inputs: StepInputs
    ) -> None:
        assert inputs.checkpoint is not None
        self.texts = texts
        self._quantize, self._path, self._made, self._threads = bounded.quantize, path, folder / MODEL, inputs.threads
        self._calls = encode(texts.texts, inputs.checkpoint, bounded.max_length)
        model = self.load()
        weights = {tensor.name for tensor in model.graph.initializer if len(tensor.dims) > 1}
        operators = {*bounded.operators(), "Gemm"}
        self.layers = [
            node.name for node in model.graph.node if node.op_type in operators and weights.intersection(node.input)
        ]
        self.exact = self._logits(path)

    def load(self) -> Any:
        """Return the graph in float32, as an `onnx.ModelProto`."""
        import onnx

        return onnx.load(self._path)

    def accuracy(self, left: Sequence[str]) -> float:
        """Return the accuracy with these layers in float32."""
        return self.texts.accuracy(self._quantized(left))

    def by_sensitivity(self, inputs: StepInputs) -> list[str]:
        """Return the layers by how far the logits move if only this layer is quantized, the farthest first."""
        moved = {}
        for number, layer in enumerate(self.layers):
            inputs.report(f"sensitivity of layer {number + 1} of {len(self.layers)}")
            logits = self._quantized([other for other in self.layers if other != layer])
            moved[layer] = float(np.square(logits - self.exact).mean())
        return sorted(self.layers, key=lambda layer: -moved[layer])

    def _quantized(self, left: Sequence[str]) -> np.ndarray:
        self._quantize(self.load(), self._made, left)
        return self._logits(self._made)

    def _logits(self, path: Path) -> np.ndarray:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return np.concatenate([session.run(None, call)[0] for call in self._calls])
