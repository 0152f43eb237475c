"""Run a model with OpenVINO on the CPU, without torch or transformers (https://docs.openvino.ai)."""

from __future__ import annotations

from collections import Counter
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from runner.engines.engine import check_inputs, main_precision, named
from runner.engines.no_telemetry import hide_openvino_telemetry
from runner.machine.cpu import instruction_sets

hide_openvino_telemetry()
import openvino  # noqa: E402

_DYNAMIC = "DYNAMIC_QUANTIZATION_GROUP_SIZE"
_TYPE_NAMES = {"f32": "float32", "bf16": "bfloat16", "f16": "float16", "i8": "int8", "u8": "int8", "I8": "int8"}
_INTEGERS = ("i8", "u8", "i4", "u4")
_SAME = 1e-4  # a share of the largest logit: two float32 kernels differ by far less, and int8 rounding by more


class Engine:
    """An engine for OpenVINO models."""

    def __init__(self, artifact: Path, threads: int) -> None:
        self._model, self._threads = artifact / "model.xml", threads
        self._compiled = self._compile()
        check_inputs([entry.any_name for entry in self._compiled.inputs], self._model)
        self._request = self._compiled.create_infer_request()

    def prepare(self, *inputs: np.ndarray) -> dict[str, Any]:
        """Wrap a batch without a copy."""
        return named(openvino.Tensor(array, shared_memory=True) for array in inputs)

    def run(self, batch: dict[str, Any]) -> Any:
        """Run the only infer request. The next call overwrites its output."""
        return self._request.infer(batch, share_inputs=True, share_outputs=True)

    def logits(self, output: Any) -> np.ndarray:
        """Return the only output."""
        array: np.ndarray = output[0]
        return array

    def describe(self) -> dict[str, Any]:
        """Return the version and the properties of the compiled model."""
        return {
            "openvino": openvino.__version__,
            "threads": self._property("INFERENCE_NUM_THREADS"),
            "streams": self._property("NUM_STREAMS"),
            "pinning": self._property("ENABLE_CPU_PINNING"),
            "inference_precision": self._property("INFERENCE_PRECISION_HINT").get_type_name(),
            "dynamic_quantization_group_size": self._property(_DYNAMIC),
            "instruction_set": " ".join(sets) if (sets := instruction_sets()) is not None else None,
        }

    def precision(self, batch: dict[str, Any]) -> str | None:
        """Return the precision of the compiled kernels, by the size of their weights."""
        work = products(self._compiled.get_runtime_model(), self._rounds_activations(batch))
        return main_precision(work)

    def _rounds_activations(self, batch: dict[str, Any]) -> bool:
        """Return whether kernels round activations to int8 before they multiply them by integer weights.

        Kernels do not show it, so the logits are compared with those of a model that must not round.
        """
        if not self._property(_DYNAMIC):
            return False
        plain = self._compile(**{_DYNAMIC: 0}).create_infer_request().infer(batch)[0]
        logits = self.logits(self.run(batch))
        return bool(np.abs(logits - plain).max() > _SAME * np.abs(plain).max())

    def _compile(self, **properties: Any) -> Any:
        wanted = {
            "INFERENCE_NUM_THREADS": self._threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,  # the box pins it
            "INFERENCE_PRECISION_HINT": "f32",  # otherwise it takes bfloat16 where the CPU has it
        }
        return openvino.Core().compile_model(self._model, "CPU", wanted | properties)

    def _property(self, name: str) -> Any:
        return self._compiled.get_property(name)


def products(runtime_model: Any, rounds_activations: bool) -> Counter[str]:
    """Return the number of weights that are multiplied in each precision.

    Args:
        runtime_model: the graph of kernels of a compiled model.
        rounds_activations: whether float activations are rounded to int8 where the weights are integers.
    """
    work: Counter[str] = Counter()
    for node in runtime_model.get_ordered_ops():
        if _info(node, "layerType") not in ("FullyConnected", "MatMul"):
            continue
        weight = node.input_value(1)
        if _info(weight.get_node(), "layerType") != "Const":
            continue
        activations = _info(node, "primitiveType").rpartition("_")[2]  # the input's type, as in brgemm_avx2_f32
        integers = _info(weight.get_node(), "runtimePrecision") in _INTEGERS
        precision = "int8" if integers and rounds_activations else _TYPE_NAMES.get(activations, activations)
        work[precision] += prod(weight.get_shape())
    return work


def _info(node: Any, key: str) -> str:
    return str(node.get_rt_info()[key].astype(str))
