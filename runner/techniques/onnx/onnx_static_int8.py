"""Static int8 quantization of an ONNX model by ONNX Runtime, as pairs of QuantizeLinear and DequantizeLinear (QDQ).

The range of every activation is measured beforehand, on texts of the task; at run time nothing is measured, so a result
does not depend on the other texts of its batch
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
from runner.tasks.texts import read_split
from runner.tasks.tokenizer import load_tokenizer
from runner.techniques.onnx.onnx_export import MODEL
from runner.techniques.shape import Shape, check_tokens
from runner.techniques.step import Step, StepInputs, step

_METHODS = {"min-max": "MinMax", "entropy": "Entropy", "percentile": "Percentile"}
Given = str | tuple[str, ...]  # a text, or a pair
_TYPES = {"int8": "QInt8", "uint8": "QUInt8"}


@step("onnx-static-int8")
@dataclass
class OnnxStaticInt8(Step):
    """onnx → onnx, products with weights in int8 by ranges measured on the task's training texts.

    Attributes:
        method: how a range follows from the values seen. "min-max": all of them; "entropy": the one that loses least
            information (Kullback-Leibler divergence; Migacz, "8-bit inference with TensorRT", 2017); "percentile": all
            but the largest ones in absolute value.
        percentile: of the values that the range holds, for that method.
        samples: how many texts are run; a task without training texts gives its test texts, which then have no labels.
        max_length: tokens a text is cut to.
        activation_type: "uint8" with a zero point, the fastest on x86; "int8".
        weight_type: "int8" rounds symmetrically around 0; "uint8" has a zero point.
        per_channel: one scale per output column of a weight rather than per tensor.
        reduce_range: 7-bit weights; on CPUs without VNNI, 8-bit ones can overflow the 16-bit sums of the kernel. Tables
            of embeddings, which nothing is multiplied by, keep 8 bits.
        embeddings: whether the tables of embeddings are stored in int8 too.
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
        """The same shape, if the model takes texts of `max_length`."""
        check_tokens(shape, self.name, self.max_length)
        return shape

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Calibrate and quantize; return how many texts were seen, and of which split."""
        import onnx

        assert inputs.source is not None
        assert inputs.checkpoint is not None
        split, texts = calibration_texts(inputs.texts, self.samples)
        model = onnx.load(inputs.source / MODEL)
        self.quantize(model, target / MODEL, reader=_reader(encode(texts, inputs.checkpoint, self.max_length)))
        return {"calibration_texts": len(texts), "calibration_split": split}

    def quantize(self, model: Any, path: Path, reader: Any = None, ranges: Path | None = None) -> None:
        """Quantize a graph, by the ranges of activations that it has on some calls, or by given ones.

        Args:
            model: an `onnx.ModelProto`, float32.
            path: of the file to write.
            reader: gives the calls, as ONNX Runtime's `CalibrationDataReader`.
            ranges: a file of ranges, as ONNX Runtime's `save_tensors_data` writes it; then nothing is run.
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
                "CalibPercentile": self.percentile,  # read by that method alone
                "CalibStridedMinMax": 1,  # one text after the other: they differ in length, and all would take GBs
                "OpTypesToExcludeOutputQuantization": ["MatMul", "Gemm"],  # sums stay exact up to the next product
                "TensorQuantOverrides": {table: [{"reduce_range": False}] for table in _tables(model)},
            },
        )
        quantized = onnx.load(path)
        _round_for_products_alone(quantized)
        onnx.save(quantized, path)


def calibration_texts(folder: Path, count: int) -> tuple[str, list[Given]]:
    """Return the split that is used, and its first `count` texts: train, or test where there are no texts to train on.

    Args:
        folder: the task's texts; see `runner.tasks`.
    """
    split = "train" if (examples := read_split(folder, "train")) else "test"
    return split, [example.given for example in (examples or read_split(folder, "test"))[:count]]


def encode(texts: Sequence[Given], checkpoint: Path, max_length: int) -> list[dict[str, np.ndarray]]:
    """Return each text or pair as one call without padding: the inputs of the checkpoint's model, int64 [1, tokens]."""
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    count = len(INPUTS) if config.get("takes_token_types") else 2
    calls = [
        [np.array([part]) for part in (encoding.ids, encoding.attention_mask, encoding.type_ids)]
        for encoding in load_tokenizer(checkpoint, max_length).encode_batch(list(texts))
    ]
    return [dict(zip(INPUTS[:count], call, strict=False)) for call in calls]


def _without_weights(model: Any) -> list[str]:
    """Return the names of the nodes that look nothing up in a table, and multiply by no weight: in attention, and
    where positions are computed."""
    weights = {tensor.name for tensor in model.graph.initializer if len(tensor.dims) == 2}
    return [
        node.name
        for node in model.graph.node
        if node.op_type in ("MatMul", "Gemm", "Gather") and not weights.intersection(node.input)
    ]


def _round_for_products_alone(model: Any) -> None:
    """Give every node but a product the activations as they were before rounding.

    ONNX Runtime's quantizer lets all nodes read the rounded ones, and so puts the rounding into the residual
    connections, where it adds up from layer to layer and saves nothing. What is looked up in a table is left alone: a
    table is only kept in int8 if its rows are rounded again.
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
    """Return the names of the tables that embeddings are looked up in."""
    weights = {tensor.name for tensor in model.graph.initializer if len(tensor.dims) == 2}
    return {node.input[0] for node in model.graph.node if node.op_type == "Gather" and node.input[0] in weights}


def _reader(samples: list[dict[str, np.ndarray]]) -> Any:
    """Return ONNX Runtime's reader over these calls, which gives a range of them at a time."""
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
