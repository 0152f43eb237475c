"""Weight-only quantization of an OpenVINO model to 8 or 4 bits by NNCF, rounded to nearest
(https://docs.openvino.ai/2026/openvino-workflow/model-optimization-guide/weight-compression.html).

A row of a weight has its own scale, in 8 bits; in 4 bits, each group in it. Tables of embeddings are stored in 8 bits.
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
_DYNAMIC_GROUP_SIZES = {"float32": 0, "int8": 32}  # how many activations share a scale; 32 is OpenVINO's own choice


@step("openvino-weight-only")
@dataclass
class OpenVinoWeightOnly(Step):
    """openvino → openvino, weights and embeddings in few bits.

    Attributes:
        bits: of a weight, 4 or 8.
        symmetric: whether weights are rounded around 0, or with a zero point.
        group_size: how many weights of a row share a scale, for 4 bits.
        products: what weights are multiplied in: "float32" restores them; "int8" lets OpenVINO round the activations
            too, in groups of 32 while it runs, which it does only where the CPU has VNNI.
    """

    takes = "openvino"
    gives = "openvino"

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
        """Quantize the weights, and tell OpenVINO in the model's own settings what to multiply in."""
        assert inputs.source is not None
        nncf = import_nncf()
        mode = nncf.CompressWeightsMode[f"INT{self.bits}_{'SYM' if self.symmetric else 'ASYM'}"]
        grouped = {"group_size": self.group_size} if self.bits == 4 else {}
        model = nncf.compress_weights(read(inputs.source), mode=mode, **grouped)
        group_size = str(_DYNAMIC_GROUP_SIZES[self.products])
        model.set_rt_info(group_size, ["runtime_options", "DYNAMIC_QUANTIZATION_GROUP_SIZE"])
        save(model, target)
        return {}
