"""Measure the highest rates of matrix products and memory inside a box: `python -m runner.trial.peaks REQUEST`.

    {"threads": 1, "seconds": 4.0, "paths": {"output": …}}

Every runtime of the image runs its best kernels at the shapes of transformers, so that no engine can be faster than the
best of them. The kernels take turns in short bursts until the time is up, so that a slow moment of the machine affects
one burst of each kernel and not all bursts of one kernel. The fastest call of a kernel counts, because a peak is a
maximum, as in STREAM (McCalpin 1995).

The result is written to `measured.json` in the output folder: {"candidates": [{"kind", "name", "per_second"}]}.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

from runner.trial.request import atomic_write, read_request, run

SHAPES = [(m, k, n) for m in (128, 512) for k, n in ((384, 1536), (768, 3072))]  # the shapes of feed-forward layers
_BANDWIDTH_BYTES = 128 << 20  # the size of one array, which is larger than the caches
_BURST_SECONDS = 0.03
_MAX_SLOWDOWN = 3.0  # a kernel that is slower than the best of its kind by this factor gets no more bursts
_MAX_CALL_SECONDS = 0.05  # after such a slow call, the kernel's larger shapes are left out, for they would take seconds
_SEED = 0


@dataclass
class Candidate:
    """One kernel at one shape.

    Attributes:
        kind: float32, bfloat16, int8 or bandwidth.
        name: the name of the kernel with its shape.
        work: the FLOPs, or the bytes, of one call.
        call: the function that runs the kernel.
        per_second: the highest rate so far.
    """

    kind: str
    name: str
    work: float
    call: Callable[[], object]
    per_second: float = 0.0

    def burst(self, seconds: float) -> None:
        """Call the kernel for about `seconds`, at least once, and update the highest rate."""
        total = 0.0
        while True:
            began = time.perf_counter()
            self.call()
            duration = time.perf_counter() - began
            total += duration
            self.per_second = max(self.per_second, self.work / duration)
            if total >= seconds:
                return


def main() -> None:
    """Read the request, measure, and write the result atomically."""
    request, paths = read_request()
    threads = request["threads"]
    torch.set_num_threads(threads)
    warnings.simplefilter("ignore")  # about deprecated functions for quantization
    candidates = list(_candidates(threads))
    with torch.inference_mode():
        compete(candidates, request["seconds"])
    rates = [{"kind": c.kind, "name": c.name, "per_second": c.per_second} for c in candidates]
    atomic_write(paths["output"] / "measured.json", json.dumps({"candidates": rates}))


def compete(candidates: list[Candidate], seconds: float) -> None:
    """Let the candidates take turns until the time is up. Each candidate gets at least one turn."""
    end = time.monotonic() + seconds
    for candidate in candidates:
        candidate.burst(0)
    while time.monotonic() < end:
        best: dict[str, float] = {}
        for candidate in candidates:
            best[candidate.kind] = max(best.get(candidate.kind, 0.0), candidate.per_second)
        for candidate in candidates:
            if candidate.per_second * _MAX_SLOWDOWN >= best[candidate.kind]:
                candidate.burst(_BURST_SECONDS)


def _candidates(threads: int) -> Iterator[Candidate]:
    """Yield every kernel at every shape. Kernels that this CPU or this build lacks are left out."""
    for kind, name, make in _KERNELS:
        for shape in SHAPES:
            m, k, n = shape
            try:
                candidate = Candidate(kind, f"{name} {m}×{k}×{n}", 2.0 * m * k * n, make(shape, threads))
                candidate.call()  # the first call packs the weights and starts the threads
                candidate.burst(0)
            except Exception as error:  # runtimes raise different types
                print(f"{name} at {shape}: {error}")
                break
            yield candidate
            if candidate.work / candidate.per_second > _MAX_CALL_SECONDS:
                break
    yield from _bandwidth()


def _torch_matmul(dtype: torch.dtype) -> Callable[[tuple[int, int, int], int], Callable[[], object]]:
    def make(shape: tuple[int, int, int], threads: int) -> Callable[[], object]:
        m, k, n = shape
        left, right = torch.randn(m, k).to(dtype), torch.randn(k, n).to(dtype)
        out = torch.empty(m, n, dtype=dtype)
        return lambda: torch.mm(left, right, out=out)

    return make


def _torch_linear(shape: tuple[int, int, int], threads: int) -> Callable[[], object]:
    m, k, n = shape
    linear = torch.nn.Linear(k, n).requires_grad_(False)
    left = torch.randn(m, k)
    return lambda: linear(left)


def _torch_quantized(shape: tuple[int, int, int], threads: int) -> Callable[[], object]:
    m, k, n = shape
    linear = torch.nn.Sequential(torch.nn.Linear(k, n))
    quantized = torch.ao.quantization.quantize_dynamic(linear, {torch.nn.Linear}, dtype=torch.qint8)
    left = torch.randn(m, k)
    return lambda: quantized(left)


def _torch_int_mm(shape: tuple[int, int, int], threads: int) -> Callable[[], object]:
    m, k, n = shape
    left = torch.randint(-127, 127, (m, k), dtype=torch.int8)
    right = torch.randint(-127, 127, (k, n), dtype=torch.int8)
    return lambda: torch._int_mm(left, right)


def _onnx(operator: str, domain: str = "") -> Callable[[tuple[int, int, int], int], Callable[[], object]]:
    """Return a function that makes one operator of ONNX Runtime.

    Its right side is constant, so that ONNX Runtime packs it like a model's weights.
    """

    def make(shape: tuple[int, int, int], threads: int) -> Callable[[], object]:
        m, k, n = shape
        generator = np.random.default_rng(_SEED)
        weight = generator.standard_normal((k, n), np.float32)
        left = generator.standard_normal((m, k), np.float32)
        constants: dict[str, np.ndarray] = {"weight": weight}
        inputs = ["left", "weight"]
        if operator == "DynamicQuantizeMatMul":
            constants = {
                "weight": (weight * 30).astype(np.int8),
                "scale": np.full(1, 0.03, np.float32),
                "zero": np.zeros(1, np.int8),
            }
            inputs = ["left", "weight", "scale", "zero"]
        elif operator == "MatMulInteger":
            constants = {"weight": (weight * 30).astype(np.int8)}
            left = (left * 30 + 128).clip(0, 255).astype(np.uint8)
        session = onnxruntime.InferenceSession(_model(operator, domain, inputs, constants, left), _options(threads))
        return lambda: session.run(None, {"left": left})

    return make


def _model(operator: str, domain: str, inputs: list[str], constants: dict[str, np.ndarray], left: np.ndarray) -> bytes:
    output = TensorProto.INT32 if operator == "MatMulInteger" else TensorProto.FLOAT
    element = helper.np_dtype_to_tensor_dtype(left.dtype)
    graph = helper.make_graph(
        [helper.make_node(operator, inputs, ["out"], domain=domain)],
        operator,
        [helper.make_tensor_value_info("left", element, left.shape)],
        [helper.make_tensor_value_info("out", output, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    serialized: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    return serialized


def _options(threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return options


def _bandwidth() -> Iterator[Candidate]:
    """Yield the kernels copy and triad of STREAM, which move two and three arrays over the memory bus."""
    count = _BANDWIDTH_BYTES // 4
    left, right, out = torch.ones(count), torch.ones(count), torch.zeros(count)
    yield Candidate("bandwidth", "copy", 2.0 * _BANDWIDTH_BYTES, lambda: out.copy_(left))
    yield Candidate("bandwidth", "triad", 3.0 * _BANDWIDTH_BYTES, lambda: torch.add(left, right, alpha=3, out=out))


_KERNELS = [
    ("float32", "torch mm", _torch_matmul(torch.float32)),
    ("float32", "torch linear", _torch_linear),
    ("float32", "onnxruntime MatMul", _onnx("MatMul")),
    ("bfloat16", "torch mm", _torch_matmul(torch.bfloat16)),
    ("int8", "torch quantized linear", _torch_quantized),
    ("int8", "torch _int_mm", _torch_int_mm),
    ("int8", "onnxruntime DynamicQuantizeMatMul", _onnx("DynamicQuantizeMatMul", "com.microsoft")),
    ("int8", "onnxruntime MatMulInteger", _onnx("MatMulInteger")),
]

if __name__ == "__main__":
    run(main)
