"""Dynamic int8 quantization of an ONNX model by ONNX Runtime.

Weights are stored as 8-bit integers, activations quantized per tensor at run time
(https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html). A result can therefore depend on the
other texts of its batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import UserError, did_you_mean
from runner.techniques.onnx.onnx_export import MODEL
from runner.techniques.step import Step, StepInputs, step

_WEIGHT_TYPES = ("int8", "uint8")
_EMBEDDINGS = ("Gather", "EmbedLayerNormalization")  # the operators that look them up


@step("onnx-dynamic-int8")
@dataclass
class OnnxDynamicInt8(Step):
    """onnx → onnx, plain or fused: matrix products and embeddings in int8.

    Attributes:
        weight_type: "int8" rounds symmetrically around 0; "uint8" has a zero point and uses the whole range.
        per_channel: one scale per output column rather than per tensor.
        reduce_range: 7-bit weights; on CPUs without VNNI, 8-bit ones can overflow the 16-bit sums of the kernel.
        embeddings: whether the tables of embeddings are quantized too.
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
            raise UserError(f"step 'onnx-dynamic-int8': weight_type is '{self.weight_type}'. {hint}")

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Quantize the graph; ONNX Runtime fuses a plain one when it loads."""
        import onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic
        from onnxruntime.quantization.registry import CommonOpsRegistry, IntegerOpsRegistry

        assert inputs.source is not None
        operators = sorted({*CommonOpsRegistry, *IntegerOpsRegistry})
        quantize_dynamic(
            onnx.load(inputs.source / MODEL),  # given a path, it would write beside the file, which is read-only
            target / MODEL,
            op_types_to_quantize=[name for name in operators if self.embeddings or name not in _EMBEDDINGS],
            weight_type=QuantType.QInt8 if self.weight_type == "int8" else QuantType.QUInt8,
            per_channel=self.per_channel,
            reduce_range=self.reduce_range,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
        return {}
