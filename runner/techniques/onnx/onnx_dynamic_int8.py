"""Quantize an ONNX model to dynamic int8 with ONNX Runtime.

Weights are stored as 8-bit integers, and activations are quantized per tensor at run time
(https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html). A result can therefore depend on the
other texts in its batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import UserError, did_you_mean
from runner.techniques.onnx.onnx_export import MODEL
from runner.techniques.step import Step, StepInputs, step

_WEIGHT_TYPES = ("int8", "uint8")
_EMBEDDINGS = ("Gather", "EmbedLayerNormalization")  # the operators that look embeddings up


@step("onnx-dynamic-int8")
@dataclass
class OnnxDynamicInt8(Step):
    """onnx → onnx, plain or fused, with matrix products and embeddings in int8.

    Attributes:
        weight_type: "int8" rounds symmetrically around 0. "uint8" has a zero point and uses the whole range.
        per_channel: whether each output column has its own scale, rather than each tensor.
        reduce_range: whether weights have 7 bits. On CPUs without VNNI, 8-bit weights can overflow the 16-bit sums of
            the kernel.
        embeddings: whether the tables of embeddings are quantized, too.
    """

    takes = "onnx"
    gives = "onnx"
    allows_next = ("onnx-embedding-blocks",)

    weight_type: str = "int8"
    per_channel: bool = False
    reduce_range: bool = False
    embeddings: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.weight_type, str) and self.weight_type not in _WEIGHT_TYPES:
            hint = did_you_mean(self.weight_type, _WEIGHT_TYPES)
            raise UserError(f"step '{self.name}': weight_type is '{self.weight_type}'. {hint}")

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Quantize the graph. ONNX Runtime fuses a plain graph when it loads it."""
        import onnx

        assert inputs.source is not None
        # with a path it would write into the file's folder, which is read-only
        self.quantize(onnx.load(inputs.source / MODEL), target / MODEL)
        return {}

    def quantize(self, model: Any, path: Path, left: Sequence[str] = ()) -> None:
        """Quantize a graph, and write it.

        Args:
            model: a float32 `onnx.ModelProto`, which changes.
            path: the file to write.
            left: the names of the nodes that stay in float32.
        """
        import onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantize_dynamic(
            model,
            path,
            op_types_to_quantize=self.operators(),
            nodes_to_exclude=[
                *left,
                *(f"{name}_MatMul" for name in left),
            ],  # a Gemm is first made a MatMul of that name
            weight_type=QuantType.QInt8 if self.weight_type == "int8" else QuantType.QUInt8,
            per_channel=self.per_channel,
            reduce_range=self.reduce_range,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )

    def operators(self) -> list[str]:
        """Return the types of the operators that are quantized."""
        from onnxruntime.quantization.registry import CommonOpsRegistry, IntegerOpsRegistry

        known = sorted({*CommonOpsRegistry, *IntegerOpsRegistry})
        return [name for name in known if self.embeddings or name not in _EMBEDDINGS]
