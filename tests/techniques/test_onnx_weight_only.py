"""Weights are stored in few bits, and the logits stay near."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from runner.errors import UserError
from runner.techniques.chain import make_step
from runner.techniques.onnx.onnx_weight_only import quantize_blocks
from tests.techniques.conftest import apply_step
from tests.techniques.onnx_models import alone_and_together, difference, export


def restore(parts: tuple[np.ndarray, np.ndarray, np.ndarray], bits: int, rows: int) -> np.ndarray:
    """Reverse `quantize_blocks`, by the definition of MatMulNBits."""
    packed, scales, zero_points = parts
    if bits == 4:
        packed, zero_points = (
            np.stack([part & 15, part >> 4], -1).reshape(*part.shape[:-1], -1) for part in (packed, zero_points)
        )
    zero_points = zero_points[:, : scales.shape[1]]
    values = (packed.astype(np.float32) - zero_points[:, :, None]) * scales[:, :, None]
    restored: np.ndarray = values.reshape(len(packed), -1)[:, :rows].T
    return restored


@pytest.mark.parametrize(("bits", "block_size"), [(8, 16), (8, 32), (4, 16), (4, 32), (4, 128)])
def test_blocks_come_back(bits: int, block_size: int) -> None:
    """The rows need not fill the last block, and two zero points may share a byte."""
    weight = np.random.default_rng(0).normal(size=(80, 6)).astype(np.float32)
    restored = restore(quantize_blocks(weight, bits, block_size), bits, rows=80)
    step = (weight.max() - weight.min()) / (2**bits - 1)
    assert restored.shape == weight.shape
    assert np.abs(restored - weight).max() < step


@pytest.mark.parametrize("products", ["float32", "int8"])
def test_fewer_bits_are_further_and_smaller(products: str, checkpoint: Path, texts: Path, tmp_path: Path) -> None:
    plain = export(checkpoint, texts, tmp_path / "plain")
    eight, four = (
        apply_step(tmp_path / f"{bits}", plain, texts, step="onnx-weight-only", bits=bits, products=products)[0]
        for bits in (8, 4)
    )
    assert 0 < difference(plain, eight) < 0.02
    assert difference(plain, eight) < difference(plain, four) < 0.1
    sizes = [(folder / "model.onnx").stat().st_size for folder in (four, eight, plain)]
    assert sizes == sorted(sizes)
    assert alone_and_together(four) < 1e-5


def test_no_float_weight_is_left_behind(bert: Path, texts: Path, tmp_path: Path) -> None:
    plain = export(bert, texts, tmp_path / "plain")
    made, notes = apply_step(tmp_path / "made", plain, texts, step="onnx-weight-only")
    graph = onnx.load(made / "model.onnx").graph
    assert notes == {"quantized_products": 12}
    assert sum(node.op_type == "MatMulNBits" for node in graph.node) == 12
    used = {name for node in graph.node for name in node.input}
    assert {tensor.name for tensor in graph.initializer} <= used


def test_it_gives_the_same_bytes_again(bert: Path, texts: Path, tmp_path: Path) -> None:
    plain = export(bert, texts, tmp_path / "plain")
    first, second = (apply_step(tmp_path / name, plain, texts, step="onnx-weight-only")[0] for name in ("a", "b"))
    assert (first / "model.onnx").read_bytes() == (second / "model.onnx").read_bytes()


def test_a_quantized_graph_is_refused(bert: Path, texts: Path, tmp_path: Path) -> None:
    plain = export(bert, texts, tmp_path / "plain")
    quantized, _ = apply_step(tmp_path / "int8", plain, texts, step="onnx-dynamic-int8")
    with pytest.raises(UserError, match="no MatMul of this graph has a constant weight in float32"):
        apply_step(tmp_path / "made", quantized, texts, step="onnx-weight-only")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("bits", 3, r"bits is 3, but must be one of 4, 8"),
        ("block_size", 20, r"block_size is 20, but must be one of 16, 32"),
        ("products", "int4", r"products is 'int4'\. Did you mean 'int8'"),
    ],
)
def test_bad_values_are_refused(key: str, value: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_step({"step": "onnx-weight-only", key: value}, "test")
