"""Dynamic int8 quantization of an ONNX model by ONNX Runtime.

Weights are stored as int8, activations quantized per tensor at run time
(https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html). A result can therefore depend on the
other texts of its batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.techniques import Step, StepInputs, step
from runner.techniques.onnx_export import MODEL


@step("onnx-dynamic-int8")
@dataclass
class OnnxDynamicInt8(Step):
    """onnx → onnx, matrix products and embeddings in int8.

    Attributes:
        per_channel: one scale per output column rather than per tensor.
        reduce_range: 7-bit weights; on CPUs without VNNI, 8-bit ones can overflow the 16-bit sums of the kernel.
    """

    takes = "onnx"
    gives = "onnx"

    per_channel: bool = False
    reduce_range: bool = False

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Quantize the plain graph; ONNX Runtime fuses it when it loads."""
        import onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic

        assert inputs.source is not None
        quantize_dynamic(
            onnx.load(inputs.source / MODEL),  # given a path, it would write beside the file, which is read-only
            target / MODEL,
            weight_type=QuantType.QInt8,
            per_channel=self.per_channel,
            reduce_range=self.reduce_range,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
        return {}
