"""Quantize only the weights of an OpenVINO model to 8 or 4 bits with NNCF, rounded to nearest
(https://docs.openvino.ai/2026/openvino-workflow/model-optimization-guide/weight-compression.html).

With 8 bits, each row of a weight has its own scale; with 4 bits, each group of a row has one. Tables of embeddings are
stored in 8 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import UserError, did_you_mean
from runner.techniques.openvino.openvino_graphs import import_nncf, read, save
from runner.techniques.step import Step, StepInputs, step

_BITS = (4, 8)
_GROUP_SIZES = (16, 32, 64, 128)
_DYNAMIC_GROUP_SIZES = {"float32": 0, "int8": 32}  # how many activations share a scale; 32 is OpenVINO's default


@step("openvino-weight-only")
@dataclass
class OpenVinoWeightOnly(Step):
    """openvino → openvino, with weights and embeddings in few bits.

    Attributes:
        bits: the bits of a weight, 4 or 8.
        symmetric: whether weights are rounded around 0 rather than with a zero point.
        group_size: the number of a row's weights that share a scale, for 4 bits.
        products: the precision of products. "float32" restores the weights. "int8" lets OpenVINO round the activations,
            too, in groups of 32 at run time. OpenVINO does so only where the CPU has VNNI.
    """

    takes = "openvino"
    gives = "openvino"
    packages = ("openvino", "nncf")

    bits: int = 8
    symmetric: bool = True
    group_size: int = 64
    products: str = "float32"

    def __post_init__(self) -> None:
        for key, allowed in (("bits", _BITS), ("group_size", _GROUP_SIZES)):
            value = getattr(self, key)
            if isinstance(value, int) and value not in allowed:
                raise UserError(
                    f"step 'openvino-weight-only': {key} is {value}, but must be one of {str(allowed)[1:-1]}."
                )
        if isinstance(self.products, str) and self.products not in _DYNAMIC_GROUP_SIZES:
            hint = did_you_mean(self.products, _DYNAMIC_GROUP_SIZES)
            raise UserError(f"step 'openvino-weight-only': products is '{self.products}'. {hint}")

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Quantize the weights, and store the precision of products in the model's settings, which OpenVINO reads."""
        assert inputs.source is not None
        nncf = import_nncf()
        mode = nncf.CompressWeightsMode[f"INT{self.bits}_{'SYM' if self.symmetric else 'ASYM'}"]
        grouped = {"group_size": self.group_size} if self.bits == 4 else {}
        model = nncf.compress_weights(read(inputs.source), mode=mode, **grouped)
        group_size = str(_DYNAMIC_GROUP_SIZES[self.products])
        model.set_rt_info(group_size, ["runtime_options", "DYNAMIC_QUANTIZATION_GROUP_SIZE"])
        save(model, target)
        return {}
