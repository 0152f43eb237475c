"""Run a model with ONNX Runtime, without torch or transformers."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Collection
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from runner.engines.engine import check_inputs, main_precision, named
from runner.machine.cpu import instruction_sets

# Kernels that multiply matrices of integers. The others below multiply in the type of their input.
_INTEGER_PRODUCTS = (
    "DynamicQuantizeMatMul",
    "MatMulInteger",
    "MatMulIntegerToFloat",
    "QAttention",
    "QGemm",
    "QLinearMatMul",
)
_OTHER_PRODUCTS = ("Attention", "FusedGemm", "FusedMatMul", "Gemm", "MatMul", "MatMulNBits")
_INT8 = 4  # an accuracy level of MatMulNBits
_TYPE_NAMES = {"float": "float32"}
_PROBE_TOKENS = 8


class Engine:
    """An engine for ONNX models."""

    def __init__(self, artifact: Path, threads: int) -> None:
        self._model = artifact / "model.onnx"
        self._threads = threads
        self._session = self._start(_options(threads))
        check_inputs([entry.name for entry in self._session.get_inputs()], self._model)

    def prepare(self, *inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Return the inputs by name."""
        return named(inputs)

    def run(self, batch: dict[str, np.ndarray]) -> Any:
        """Call the session once."""
        return self._session.run(None, batch)

    def logits(self, output: Any) -> np.ndarray:
        """Return the first output."""
        array: np.ndarray = output[0]
        return array

    def describe(self) -> dict[str, Any]:
        """Return the version, the threads and the CPU's instruction sets. The session does not show which it uses."""
        return {
            "onnxruntime": onnxruntime.__version__,
            "threads": self._threads,
            "instruction_set": " ".join(sets) if (sets := instruction_sets()) is not None else None,
        }

    def precision(self, batch: dict[str, np.ndarray]) -> str | None:
        """Return the precision of the kernels that really ran, by their FLOPs, from a profile of one short call."""
        with tempfile.TemporaryDirectory() as folder:
            options = _options(self._threads)
            options.enable_profiling = True
            options.profile_file_prefix = str(Path(folder) / "profile")
            session = self._start(options)
            session.run(None, {name: array[:1, :_PROBE_TOKENS] for name, array in batch.items()})
            events = json.loads(Path(session.end_profiling()).read_text())
        return main_precision(products(events, _rounding_nodes(self._model)))

    def _start(self, options: Any) -> Any:
        return onnxruntime.InferenceSession(self._model, options, providers=["CPUExecutionProvider"])


def products(events: list[dict[str, Any]], rounding: Collection[str] = ()) -> Counter[str]:
    """Return the FLOPs by precision of the matrix products with weights in a profile of ONNX Runtime.

    Args:
        events: the events of the profile.
        rounding: the names of nodes that take floating point but round it to int8 before they multiply.
    """
    work: Counter[str] = Counter()
    for event in events:
        kernel = event.get("args", {})
        operator = kernel.get("op_name")
        if not event["name"].endswith("_kernel_time") or operator not in _INTEGER_PRODUCTS + _OTHER_PRODUCTS:
            continue
        ((type_name, left),) = kernel["input_type_shape"][0].items()
        if operator in ("FusedMatMul", "MatMul") and _are_activations(kernel["input_type_shape"][1:]):
            continue  # a product of two activations, as in attention
        ((_, out),) = kernel["output_type_shape"][0].items()
        in_integers = operator in _INTEGER_PRODUCTS or event["name"].removesuffix("_kernel_time") in rounding
        precision = "int8" if in_integers else _TYPE_NAMES.get(type_name, type_name)
        work[precision] += 2 * prod(out) * left[-1]
    return work


def _are_activations(others: list[dict[str, list[int]]]) -> bool:
    """Return whether an input after the first has more than two dimensions.

    A weight has two. It is not listed if the kernel stores it in its own order.
    """
    return any(len(dims) > 2 for other in others for dims in other.values())


def _rounding_nodes(model: Path) -> set[str]:
    """Return the names of the MatMulNBits nodes whose accuracy level lets them round activations to int8.

    https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulNBits
    """
    import onnx  # not at the top, because a trial does not need it

    nodes = onnx.load(model, load_external_data=False).graph.node
    return {
        node.name
        for node in nodes
        if node.op_type == "MatMulNBits" and any(a.name == "accuracy_level" and a.i == _INT8 for a in node.attribute)
    }


def _options(threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads  # its default ignores the cpuset
    options.inter_op_num_threads = 1
    return options
