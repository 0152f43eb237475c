"""Quantize an OpenVINO model to static int8 with NNCF's post-training quantization
(https://docs.openvino.ai/2026/openvino-workflow/model-optimization-guide/quantizing-models-post-training.html).

The range of every activation is measured beforehand on texts of the task. Nothing is measured at run time, so a result
does not depend on the other texts in its batch. Weights and tables of embeddings are stored in int8 with a scale per
row.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import UserError, did_you_mean
from runner.techniques.onnx.onnx_static_int8 import calibration_texts, encode
from runner.techniques.openvino.openvino_graphs import import_nncf, read, save
from runner.techniques.step import Step, StepInputs, step

_PRESETS = {"mixed": "MIXED", "performance": "PERFORMANCE"}


@step("openvino-static-int8")
@dataclass
class OpenVinoStaticInt8(Step):
    """openvino → openvino, with matrix products in int8, also those in attention. The ranges are measured on the task's
    training texts.

    Attributes:
        samples: the number of texts to run. A task without training texts gives its test texts, which have no labels.
        max_length: the number of tokens to which a text is cut.
        preset: "mixed" rounds activations of both signs with a zero point, "performance" symmetrically around 0.
        smooth_quant: the share of the spread between an activation's channels that is moved into the weights, from 0 to
            1 (alpha of Xiao et al., "SmoothQuant", ICML 2023); -1 for none.
        reduce_range: whether weights have 7 bits. On CPUs without VNNI, 8-bit weights can overflow the 16-bit sums of
            the kernel.
    """

    takes = "openvino"
    gives = "openvino"
    packages = ("openvino", "nncf")
    reads_texts = True
    reads_tokenizer = True

    samples: int = 128
    max_length: int = 128
    preset: str = "mixed"
    smooth_quant: float = 0.95
    reduce_range: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.preset, str) and self.preset not in _PRESETS:
            hint = did_you_mean(self.preset, _PRESETS)
            raise UserError(f"step 'openvino-static-int8': preset is '{self.preset}'. {hint}")
        for key, least in (("samples", 1), ("max_length", 3)):
            value = getattr(self, key)
            if isinstance(value, int) and value < least:
                raise UserError(f"step 'openvino-static-int8': {key} is {value}, but must be at least {least}.")
        alpha = self.smooth_quant
        if isinstance(alpha, float) and not 0 <= alpha <= 1 and alpha != -1:
            raise UserError(
                f"step 'openvino-static-int8': smooth_quant is {alpha:g}, but must be from 0 to 1, or -1 for none."
            )

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Calibrate and quantize the model, and return the number of calibration texts and their split."""
        assert inputs.source is not None
        assert inputs.checkpoint is not None
        split, texts = calibration_texts(inputs.texts, self.samples)
        calls = encode(texts, inputs.checkpoint, self.max_length)
        save(self._quantize(read(inputs.source), calls), target)
        return {"calibration_texts": len(texts), "calibration_split": split}

    def _quantize(self, model: Any, calls: list[Any]) -> Any:
        nncf = import_nncf()
        return nncf.quantize(
            model,
            nncf.Dataset(calls),
            subset_size=len(calls),
            model_type=nncf.ModelType.TRANSFORMER,
            preset=nncf.QuantizationPreset[_PRESETS[self.preset]],
            advanced_parameters=nncf.AdvancedQuantizationParameters(
                overflow_fix=nncf.OverflowFix.ENABLE if self.reduce_range else nncf.OverflowFix.DISABLE,
                smooth_quant_alphas=nncf.AdvancedSmoothQuantParameters(matmul=self.smooth_quant),
            ),
        )
