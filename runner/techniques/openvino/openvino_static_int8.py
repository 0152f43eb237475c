"""Quantize an OpenVINO model to static int8 with NNCF's post-training quantization
(https://docs.openvino.ai/2026/openvino-workflow/model-optimization-guide/quantizing-models-post-training.html).

The range of every activation is measured beforehand on texts of the task. Nothing is measured at run time, so a result
does not depend on the other texts in its batch. Weights and tables of embeddings are stored in int8 with a scale per
row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from runner.config.task_kinds import SINGLE_LABEL
from runner.errors import UserError, did_you_mean
from runner.techniques.onnx.onnx_static_int8 import calibration_texts, encode
from runner.techniques.onnx.selection import SelectionTexts, selection_texts
from runner.techniques.openvino.openvino_graphs import import_nncf, read, save
from runner.techniques.step import Step, StepInputs, step

_PRESETS = {"mixed": "MIXED", "performance": "PERFORMANCE"}


@step("openvino-static-int8")
@dataclass
class OpenVinoStaticInt8(Step):
    """openvino → openvino, with matrix products in int8, including those in attention. The ranges are measured on the
    task's training texts.

    Attributes:
        samples: the number of texts to run. Without training texts, the documents or else the test texts are run.
        max_length: the number of tokens to which a text is cut.
        preset: "mixed" rounds activations of both signs with a zero point, "performance" symmetrically around 0.
        smooth_quant: the share of the spread between an activation's channels that is moved into the weights, from 0 to
            1 (alpha of Xiao et al., "SmoothQuant", ICML 2023); -1 for none.
        reduce_range: whether weights have 7 bits. On CPUs without VNNI, 8-bit weights can overflow the 16-bit sums of
            the kernel.
        margin: the largest loss of accuracy on the validation texts that is allowed, in points as quality.margin. What
            costs the most stays in float32 until the bound is kept (NNCF's `quantize_with_accuracy_control`). Null
            quantizes everything.
        selection_samples: the most validation or training texts to evaluate for this bound.
    """

    takes = "openvino"
    gives = "openvino"
    packages = ("openvino", "nncf")
    reads_texts = True
    reads_tokenizer = True

    @property
    def reads_labels(self) -> bool:
        """Whether it needs labelled texts: only a bound on the accuracy does."""
        return self.margin is not None

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of task: with a bound on the accuracy, those whose texts have one label."""
        return (SINGLE_LABEL,) if self.margin is not None else super().kinds

    samples: int = 128
    max_length: int = 128
    preset: str = "mixed"
    smooth_quant: float = 0.95
    reduce_range: bool = False
    margin: float | None = None
    selection_samples: int = 500

    def __post_init__(self) -> None:
        if isinstance(self.preset, str) and self.preset not in _PRESETS:
            hint = did_you_mean(self.preset, _PRESETS)
            raise UserError(f"step 'openvino-static-int8': preset is '{self.preset}'. {hint}")
        if isinstance(self.margin, float) and not 0 <= self.margin < 100:
            raise UserError(
                f"step 'openvino-static-int8': margin is {self.margin:g}, but must be null, or from 0 to below 100."
            )
        for key, least in (("samples", 1), ("max_length", 3), ("selection_samples", 1)):
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
        calls, notes = encode(texts, inputs.checkpoint, self.max_length), dict[str, Any]()
        if self.margin is None:
            made = self.quantize(read(inputs.source), calls)
        else:
            chosen = selection_texts(inputs.texts, self.selection_samples)
            evaluated = encode(chosen.texts, inputs.checkpoint, self.max_length)
            made = self._bounded(read(inputs.source), calls, chosen, evaluated)
            notes = {"selection_texts": len(chosen.labels), "selection_split": chosen.split}
        save(made, target)
        return {"calibration_texts": len(texts), "calibration_split": split, **notes}

    def quantize(self, model: Any, calls: list[Any]) -> Any:
        """Return a model with all products quantized, with ranges that are measured on calls."""
        return import_nncf().quantize(model, **self._settings(calls))

    def _bounded(self, model: Any, calls: list[Any], chosen: SelectionTexts, evaluated: list[Any]) -> Any:
        """Return the quantized model, in which the layers that cost too much accuracy are left in float32."""
        assert self.margin is not None
        nncf = import_nncf()

        def validate(compiled: Any, items: Iterable[Any]) -> tuple[float, list[float]]:
            logits = np.concatenate([compiled(item)[0] for item in items])
            right = (logits.argmax(axis=-1) == np.array(chosen.labels)).astype(float)
            return float(right.mean()), right.tolist()

        settings = self._settings(calls)
        return nncf.quantize_with_accuracy_control(
            model,
            settings.pop("calibration_dataset"),
            nncf.Dataset(evaluated),
            validate,
            max_drop=self.margin / 100,
            drop_type=nncf.DropType.ABSOLUTE,
            advanced_quantization_parameters=settings.pop("advanced_parameters"),
            **settings,
        )

    def _settings(self, calls: list[Any]) -> dict[str, Any]:
        """Return the arguments for NNCF that do not depend on a bound on the accuracy."""
        nncf = import_nncf()
        return {
            "calibration_dataset": nncf.Dataset(calls),
            "subset_size": len(calls),
            "model_type": nncf.ModelType.TRANSFORMER,
            "preset": nncf.QuantizationPreset[_PRESETS[self.preset]],
            "advanced_parameters": nncf.AdvancedQuantizationParameters(
                overflow_fix=nncf.OverflowFix.ENABLE if self.reduce_range else nncf.OverflowFix.DISABLE,
                smooth_quant_alphas=nncf.AdvancedSmoothQuantParameters(matmul=self.smooth_quant),
            ),
        }
