"""Measure, inside a box, how fast matrix products and memory are at best: `python -m runner.trial.peaks REQUEST`.

    {"threads": 1, "seconds": 4.0, "paths": {"output": …}}

Every runtime of the image shows its best kernels at the shapes of transformers, so that no engine can be faster than
the best of them. A peak is a maximum: the kernels take turns in short bursts until the time is up, so that a slow
moment of the machine hits one burst of each and not all bursts of one; the fastest call counts (the approach of
STREAM, McCalpin 1995, for bandwidth).

What was measured goes to `measured.json` in the output folder: {"candidates": [{"kind", "name", "per_second"}]}.
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

SHAPES = [(m, k, n) for m in (128, 512) for k, n in ((384, 1536), (768, 3072))]  # rows, and a feed-forward layer's
_BANDWIDTH_BYTES = 128 << 20  # of one array: more than the caches hold
_BURST_SECONDS = 0.03
_HOPELESS = 3.0  # a kernel that was so many times slower than the best of its kind gets no more bursts
_EMULATED_SECONDS = 0.05  # takes a kernel so long at the smallest shape, the larger ones would take seconds
_SEED = 0


@dataclass
class Candidate:
    """One kernel at one shape: `work` FLOPs (or bytes) a call."""

    kind: str
    name: str
    work: float
    call: Callable[[], object]
    per_second: float = 0.0

    def burst(self, seconds: float) -> None:
        """Call at least once, for about so long; keep the best rate."""
        spent = 0.0
        while True:
            began = time.perf_counter()
            self.call()
            took = time.perf_counter() - began
            spent += took
            self.per_second = max(self.per_second, self.work / took)
            if spent >= seconds:
                return


def main() -> None:
    """Read the request, measure, write the result under its final name only when it is whole."""
    request, paths = read_request()
    threads = request["threads"]
    torch.set_num_threads(threads)
    warnings.simplefilter("ignore")  # of deprecated ways to quantize
    candidates = list(_candidates(threads))
    with torch.inference_mode():
        compete(candidates, request["seconds"])
    rates = [{"kind": c.kind, "name": c.name, "per_second": c.per_second} for c in candidates]
    atomic_write(paths["output"] / "measured.json", json.dumps({"candidates": rates}))


def compete(candidates: list[Candidate], seconds: float) -> None:
    """Let the candidates take turns until the time is up; each gets one turn at least."""
    end = time.monotonic() + seconds
    for candidate in candidates:
        candidate.burst(0)
    while time.monotonic() < end:
        best = {c.kind: max(o.per_second for o in candidates if o.kind == c.kind) for c in candidates}
        for candidate in candidates:
            if candidate.per_second * _HOPELESS >= best[candidate.kind]:
                candidate.burst(_BURST_SECONDS)


def _candidates(threads: int) -> Iterator[Candidate]:
    """Make every kernel at every shape; what this CPU or build lacks is left out."""
    for kind, name, make in _KERNELS:
        for shape in SHAPES:
            m, k, n = shape
            try:
                candidate = Candidate(kind, f"{name} {m}×{k}×{n}", 2.0 * m * k * n, make(shape, threads))
                candidate.call()  # packs weights, makes threads
                candidate.burst(0)
            except Exception as error:  # runtimes fail in their own ways
                print(f"{name} at {shape}: {error}")
                break
            yield candidate
            if candidate.work / candidate.per_second > _EMULATED_SECONDS:
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
    """Make one operator of ONNX Runtime with a constant right side, which it packs as it does a model's weights."""

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
    """Copy and triad as in STREAM: two and three arrays pass the memory bus."""
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
