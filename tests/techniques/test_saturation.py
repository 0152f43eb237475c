"""Saturation of int8 products is measured on this CPU and on an emulated one without VNNI."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import openvino
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from runner.machine.cpu import instruction_sets
from runner.machine.int8 import saturates
from runner.techniques.chain import make_step
from runner.techniques.onnx.onnx_static_int8 import OnnxStaticInt8, _reader
from runner.techniques.openvino.openvino_static_int8 import OpenVinoStaticInt8
from runner.techniques.step import StepInputs
from runner.trial.weights import int8_weight_bits
from tests.techniques.saturating import COLUMNS, ROWS, WEIGHT, activations, error, errors_without_vnni

LOST = pytest.approx(0.494, abs=0.01)  # 255 · 127 · 2 saturates at 32,767
NOTHING = pytest.approx(0, abs=0.02)  # except for rounding
SATURATING: list[dict[str, Any]] = [
    {"step": "onnx-dynamic-int8"},
    {"step": "onnx-dynamic-int8", "per_channel": True},
    {"step": "onnx-static-int8"},
    {"step": "onnx-static-int8", "activation_type": "int8"},
]
EXACT: list[dict[str, Any]] = [
    {"step": "onnx-dynamic-int8", "reduce_range": True},
    {"step": "onnx-dynamic-int8", "reduce_range": True, "per_channel": True},
    {"step": "onnx-dynamic-int8", "weight_type": "uint8"},
    {"step": "onnx-static-int8", "reduce_range": True},
    {"step": "onnx-static-int8", "weight_type": "uint8"},
    {"step": "onnx-weight-only", "bits": 4},
    {"step": "onnx-weight-only", "bits": 8},
]


def product() -> Any:
    """Return a graph of one float32 product."""
    activation, result = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["calls", columns])
        for name, columns in (("x", ROWS), ("y", COLUMNS))
    )
    nodes = [
        helper.make_node("Abs", ["x"], ["activation"], "abs"),
        helper.make_node("MatMul", ["activation", "w"], ["y"], "matmul"),
    ]
    weight = numpy_helper.from_array(np.full((ROWS, COLUMNS), WEIGHT, np.float32), "w")
    graph = helper.make_graph(nodes, "product", [activation], [result], [weight])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def quantized(entry: dict[str, Any], folder: Path) -> Path:
    """Write the product into a new folder, quantized as a step does it, and return the folder."""
    source, step = folder.with_name(f"{folder.name}-source"), make_step(entry, "test")
    source.mkdir()
    folder.mkdir()
    onnx.save(product(), source / "model.onnx")
    if isinstance(step, OnnxStaticInt8):
        step.quantize(product(), folder / "model.onnx", _reader([{"x": activations()}]))
    else:
        step.run(StepInputs(source, source, 1), folder)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The product, quantized by each of the steps above."""
    place = tmp_path_factory.mktemp("made")
    return [quantized(entry, place / str(number)) for number, entry in enumerate([*SATURATING, *EXACT])]


def test_what_saturates_on_this_cpu(made: list[Path]) -> None:
    errors = [error(folder / "model.onnx") for folder in made]
    assert errors[: len(SATURATING)] == [LOST if saturates(instruction_sets()) else NOTHING] * len(SATURATING)
    assert max(errors[len(SATURATING) :]) < 0.02


@pytest.mark.slow
def test_what_saturates_without_vnni(made: list[Path]) -> None:
    """It runs on any machine, because an emulator removes VNNI."""
    errors = errors_without_vnni([folder / "model.onnx" for folder in made])
    if errors is None:
        pytest.skip("no qemu-x86_64 to take VNNI away with (package qemu-user)")
    assert errors[: len(SATURATING)] == [LOST] * len(SATURATING)
    assert max(errors[len(SATURATING) :]) < 0.02


def test_what_would_come_out_with_vnni(made: list[Path]) -> None:
    """It runs on any machine, because ONNX Runtime can add in 32 bits."""
    assert max(error(folder / "model.onnx", exact=True) for folder in made) < 0.02


def test_the_bits_of_weights_tell_what_saturates(made: list[Path]) -> None:
    bits = [int8_weight_bits(folder, "int8") for folder in made]
    assert bits[: len(SATURATING)] == [8] * len(SATURATING)
    assert bits[len(SATURATING) :] == [7, 7, 0, 7, 0, 0, 0]
    assert int8_weight_bits(made[0], "float32") == 0


def test_pytorch_rounds_activations_to_seven_bits() -> None:
    linear = torch.nn.Linear(ROWS, COLUMNS, bias=False)
    torch.nn.init.constant_(linear.weight, WEIGHT)
    rounded = torch.ao.quantization.quantize_dynamic(torch.nn.Sequential(linear), {torch.nn.Linear}, dtype=torch.qint8)
    assert (rounded(torch.from_numpy(activations())) / (ROWS * WEIGHT)).detach().numpy() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("reduce_range", [False, True])
def test_openvino_saturates_too(reduce_range: bool, tmp_path: Path) -> None:
    onnx.save(product(), tmp_path / "product.onnx")
    step, core = OpenVinoStaticInt8(reduce_range=reduce_range), openvino.Core()
    model = step.quantize(core.read_model(tmp_path / "product.onnx"), [{"x": activations()}])
    openvino.save_model(model, tmp_path / "model.xml", compress_to_fp16=False)
    assert int8_weight_bits(tmp_path, "int8") == (7 if reduce_range else 8)
    compiled = core.compile_model(tmp_path / "model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    loss = float(np.abs(compiled({"x": activations()})[0] / (ROWS * WEIGHT) - 1).max())
    assert loss == (LOST if saturates(instruction_sets()) and not reduce_range else NOTHING)
