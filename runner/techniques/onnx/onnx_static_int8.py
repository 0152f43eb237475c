"""Quantize an ONNX model to static int8 with ONNX Runtime, as pairs of QuantizeLinear and DequantizeLinear (QDQ).

The range of every activation is measured beforehand on texts of the task. Nothing is measured at run time, so a result
does not depend on the other texts in its batch
(https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from runner.errors import UserError, did_you_mean
from runner.models.inputs import INPUTS
from runner.tasks.texts import texts_to_learn_from
from runner.tasks.tokenizer import load_tokenizer
from runner.techniques.onnx.onnx_export import MODEL
from runner.techniques.shape import Shape, check_tokens
from runner.techniques.step import Step, StepInputs, step

_METHODS = {"min-max": "MinMax", "entropy": "Entropy", "percentile": "Percentile"}
RawText = str | tuple[str, ...]  # a text, or a pair
_TYPES = {"int8": "QInt8", "uint8": "QUInt8"}


@step("onnx-static-int8")
@dataclass
class OnnxStaticInt8(Step):
    """onnx → onnx, with products by weights in int8. The ranges are measured on the task's training texts.

    Attributes:
        method: how a range follows from the values seen. "min-max" takes all values. "entropy" takes the range that
            loses least information (Kullback-Leibler divergence; Migacz, "8-bit inference with TensorRT", 2017).
            "percentile" leaves out the largest absolute values.
        percentile: the percentage of the values that the range holds, for the method "percentile".
        samples: the number of texts to run. Without training texts, the documents or else the test texts are run.
        max_length: the number of tokens to which a text is cut.
        activation_type: "uint8" has a zero point and is the fastest on x86; the alternative is "int8".
        weight_type: "int8" rounds symmetrically around 0. "uint8" has a zero point.
        per_channel: whether each output column of a weight has its own scale, rather than each tensor.
        reduce_range: whether weights have 7 bits. On CPUs without VNNI, 8-bit weights can overflow the 16-bit sums of
            the kernel. Tables of embeddings keep 8 bits, because nothing is multiplied by them.
        embeddings: whether the tables of embeddings are stored in int8, too.
    """

    takes = "onnx"
    gives = "onnx"
    allows_next = ("onnx-embedding-blocks",)
    reads_texts = True
    reads_tokenizer = True

    method: str = "min-max"
    percentile: float = 99.999
    samples: int = 128
    max_length: int = 128
    activation_type: str = "uint8"
    weight_type: str = "int8"
    per_channel: bool = True
    reduce_range: bool = False
    embeddings: bool = True

    def __post_init__(self) -> None:
        for key, allowed in (("method", _METHODS), ("activation_type", _TYPES), ("weight_type", _TYPES)):
            value = getattr(self, key)
            if isinstance(value, str) and value not in allowed:
                raise UserError(f"step 'onnx-static-int8': {key} is '{value}'. {did_you_mean(value, allowed)}")
        if (self.activation_type, self.weight_type) == ("int8", "uint8"):
            raise UserError(
                "step 'onnx-static-int8': ONNX Runtime has no kernel for int8 activations and uint8 weights. "
                "Take activation_type: uint8, or weight_type: int8."
            )
        for key, least in (("samples", 1), ("max_length", 3)):
            value = getattr(self, key)
            if isinstance(value, int) and value < least:
                raise UserError(f"step 'onnx-static-int8': {key} is {value}, but must be at least {least}.")
        if isinstance(self.percentile, float) and not 50 < self.percentile <= 100:
            raise UserError(
                f"step 'onnx-static-int8': percentile is {self.percentile}, but must be above 50 and at most 100."
            )

    def infer_shape(self, shape: Shape) -> Shape:
        """Check that the model takes texts of `max_length`."""
        check_tokens(shape, self.name, self.max_length)
        return shape

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Calibrate and quantize the graph, and return the number of calibration texts and their split."""
        import onnx

        assert inputs.source is not None
        assert inputs.checkpoint is not None
        split, texts = calibration_texts(inputs.texts, self.samples)
        model = onnx.load(inputs.source / MODEL)
        self.quantize(model, target / MODEL, reader=_reader(encode(texts, inputs.checkpoint, self.max_length)))
        return {"calibration_texts": len(texts), "calibration_split": split}

    def quantize(self, model: Any, path: Path, reader: Any = None, ranges: Path | None = None) -> None:
        """Quantize a graph with ranges of activations that are measured on calls or read from a file.

        Args:
            model: a float32 `onnx.ModelProto`.
            path: the file to write.
            reader: the calls, as ONNX Runtime's `CalibrationDataReader`.
            ranges: a file of ranges, as ONNX Runtime's `save_tensors_data` writes it. With it, nothing is run.
        """
        import onnx
        from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

        quantize_static(
            model,
            path,
            reader,
            calibration_cache_path=ranges,
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["MatMul", "Gemm", *(["Gather"] if self.embeddings else [])],
            nodes_to_exclude=_without_weights(model),
            per_channel=self.per_channel,
            reduce_range=self.reduce_range,
            activation_type=QuantType[_TYPES[self.activation_type]],
            weight_type=QuantType[_TYPES[self.weight_type]],
            calibrate_method=CalibrationMethod[_METHODS[self.method]],
            extra_options={
                "CalibPercentile": self.percentile,  # only the method "percentile" reads it
                "CalibStridedMinMax": 1,  # one text at a time: they differ in length, and together they take GBs
                "OpTypesToExcludeOutputQuantization": ["MatMul", "Gemm"],  # sums stay exact up to the next product
                "TensorQuantOverrides": {table: [{"reduce_range": False}] for table in _tables(model)},
            },
        )
        quantized = onnx.load(path)
        _round_for_products_alone(quantized)
        onnx.save(quantized, path)


def calibration_texts(folder: Path, count: int) -> tuple[str, list[RawText]]:
    """Return the first texts for calibration, and where they are from; see `runner.tasks.texts.texts_to_learn_from`.

    Args:
        folder: the task's folder; see `runner.tasks`.
        count: the number of texts.
    """
    split, examples = texts_to_learn_from(folder)
    return split, [example.tokenizer_input for example in examples[:count]]


def encode(texts: Sequence[RawText], checkpoint: Path, max_length: int) -> list[dict[str, np.ndarray]]:
    """Return the model's inputs for each text or pair, int64 [1, tokens], without padding."""
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    count = len(INPUTS) if config.get("takes_token_types") else 2
    calls = [
        [np.array([part]) for part in (encoding.ids, encoding.attention_mask, encoding.type_ids)]
        for encoding in load_tokenizer(checkpoint, max_length).encode_batch(list(texts))
    ]
    return [dict(zip(INPUTS[:count], call, strict=False)) for call in calls]


def _without_weights(model: Any) -> list[str]:
    """Return the names of the products and look-ups that use no weight, as in attention or for positions."""
    weights = {tensor.name for tensor in model.graph.initializer if len(tensor.dims) == 2}
    return [
        node.name
        for node in model.graph.node
        if node.op_type in ("MatMul", "Gemm", "Gather") and not weights.intersection(node.input)
    ]


def _round_for_products_alone(model: Any) -> None:
    """Let every node except a product read the activations before rounding.

    ONNX Runtime's quantizer lets all nodes read the rounded activations. That rounds the residual connections, where
    errors add up from layer to layer, and saves nothing. Rows that are looked up in a table stay rounded, because ONNX
    Runtime keeps a table in int8 only if its rows are rounded again.
    """
    makers = {output: node for node in model.graph.node for output in node.output}
    exact = {}
    for node in model.graph.node:
        rounding = makers.get(node.input[0]) if node.op_type == "DequantizeLinear" else None
        if rounding is not None and makers[rounding.input[0]].op_type != "Gather":
            exact[node.output[0]] = rounding.input[0]
    for node in model.graph.node:
        if node.op_type not in ("MatMul", "Gemm"):
            node.input[:] = [exact.get(name, name) for name in node.input]


def _tables(model: Any) -> set[str]:
    """Return the names of the tables of embeddings."""
    weights = {tensor.name for tensor in model.graph.initializer if len(tensor.dims) == 2}
    return {node.input[0] for node in model.graph.node if node.op_type == "Gather" and node.input[0] in weights}


def _reader(samples: list[dict[str, np.ndarray]]) -> Any:
    """Return an ONNX Runtime reader that gives these calls, a range of them at a time."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
        def __init__(self) -> None:
            self._left: Iterator[dict[str, np.ndarray]] = iter(samples)

        def __len__(self) -> int:
            return len(samples)

        def set_range(self, start_index: int, end_index: int) -> None:
            self._left = iter(samples[start_index:end_index])

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self._left, None)

    return Reader()
