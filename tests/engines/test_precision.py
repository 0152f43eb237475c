"""Engines report the precision of artifacts whose precision is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.engines.engine import import_engine, main_precision
from tests.techniques.conftest import apply_step, save_random, texts

__all__ = ["texts"]  # a fixture


@pytest.fixture(scope="module")
def bert(texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_random(tmp_path_factory.mktemp("bert") / "model", texts, "bert")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("steps", "engine", "precision"),
    [
        ([], "torch", "float32"),
        (["torchscript"], "torchscript", "float32"),
        (["torch-dynamic-int8"], "torchscript", "int8"),
        (["bfloat16"], "torch", "bfloat16"),
        (["bfloat16", "torchscript"], "torchscript", "bfloat16"),
        (["onnx-export"], "onnxruntime", "float32"),
        (["onnx-export", "onnx-dynamic-int8"], "onnxruntime", "int8"),
        (["onnx-export", "onnx-static-int8"], "onnxruntime", "int8"),
        (["onnx-export", "onnx-fusion"], "onnxruntime", "float32"),
        (["onnx-export", "onnx-fusion", "onnx-dynamic-int8"], "onnxruntime", "int8"),
        (["onnx-export", {"step": "onnx-weight-only", "products": "int8"}], "onnxruntime", "int8"),
        (["onnx-export", {"step": "onnx-weight-only", "products": "float32"}], "onnxruntime", "float32"),
        (["openvino-export"], "openvino", "float32"),
        (["openvino-export", "openvino-static-int8"], "openvino", "int8"),
        (["openvino-export", "openvino-weight-only"], "openvino", "float32"),
    ],
)
def test_the_precision_is_read_back(
    steps: list[str | dict[str, Any]],
    engine: str,
    precision: str,
    bert: Path,
    texts: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torch.set_num_interop_threads", lambda threads: None)  # it can be set only once in a process
    artifact = bert
    for number, step in enumerate(steps):
        entry = {"step": step} if isinstance(step, str) else step
        artifact, _ = apply_step(tmp_path / str(number), artifact, texts, bert, **entry)
    loaded = import_engine(engine)(artifact, 1)
    ids = np.arange(60).reshape(2, 30) + 5
    assert loaded.precision(loaded.prepare(ids, np.ones_like(ids))) == precision
    assert "instruction_set" in loaded.describe()


def kernel(operator: str, left: dict[str, list[int]], out: list[int]) -> dict[str, Any]:
    args = {"op_name": operator, "input_type_shape": [left], "output_type_shape": [{"float": out}]}
    return {"name": f"{operator}_kernel_time", "args": args}


def test_products_in_a_profile_are_weighed() -> None:
    from runner.engines.onnxruntime import products

    events = [
        kernel("MatMul", {"float": [1, 8, 4]}, [1, 8, 6]),
        kernel("MatMulIntegerToFloat", {"uint8": [1, 8, 4]}, [1, 8, 2]),
        kernel("Add", {"float": [1, 8, 4]}, [1, 8, 4]),
        {"name": "model_run", "args": {}},
    ]
    assert products(events) == {"float32": 2 * 48 * 4, "int8": 2 * 16 * 4}


def test_a_tenth_of_the_work_is_told() -> None:
    assert main_precision({"int8": 95, "float32": 5}) == "int8"
    assert main_precision({"int8": 80, "float32": 20}) == "float32+int8"
    assert main_precision({}) is None
