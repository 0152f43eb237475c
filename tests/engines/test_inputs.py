"""Models are called with their inputs by name. An artifact whose inputs have other names is not loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from runner.engines.engine import check_inputs, named
from runner.engines.onnxruntime import Engine as OnnxRuntime
from runner.engines.openvino import Engine as OpenVino
from runner.engines.pytorch import PyTorch
from runner.engines.torchscript import Engine as TorchScript


@pytest.fixture(autouse=True)
def _threads_can_be_set_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.set_num_interop_threads", lambda threads: None)  # it can be set only once in a process


class TypesSecond(torch.nn.Module):
    """A model that takes its inputs in another order, as FNet does, and counts the tokens that are not padding."""

    def forward(
        self, input_ids: torch.Tensor, token_type_ids: torch.Tensor | None = None, attention_mask: Any = None
    ) -> torch.Tensor:
        counted: torch.Tensor = attention_mask.sum(1, keepdim=True)
        return counted


class Eager(PyTorch):
    def load(self, artifact: Path) -> Any:
        return TypesSecond()


def test_the_order_of_a_model_s_arguments_does_not_matter(tmp_path: Path) -> None:
    ids = np.arange(10).reshape(2, 5)
    mask = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]])
    engine = Eager(tmp_path, 1)
    assert engine.run(engine.prepare(ids, mask)).tolist() == [[5], [2]]
    assert engine.run(engine.prepare(ids, mask, np.zeros_like(ids))).tolist() == [[5], [2]]


def test_inputs_are_named_in_one_order() -> None:
    assert named("im") == {"input_ids": "i", "attention_mask": "m"}
    assert named("imt") == {"input_ids": "i", "attention_mask": "m", "token_type_ids": "t"}


@pytest.mark.parametrize("names", [[], ["input_ids"], ["input_ids", "attention_mask", "bbox"], ["ids", "mask"]])
def test_other_names_are_refused(names: list[str]) -> None:
    with pytest.raises(ValueError, match=r"model\.onnx takes the inputs .*, but a model is called with input_ids, att"):
        check_inputs(names, Path("model.onnx"))


def save_onnx(folder: Path, names: tuple[str, str]) -> None:
    """Write a graph that adds two inputs of these names."""
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"]) for name in names]
    gives = helper.make_tensor_value_info("logits", TensorProto.INT64, ["batch", "length"])
    graph = helper.make_graph([helper.make_node("Add", [*names], ["logits"])], "sum", inputs, [gives])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "model.onnx"
    )


def test_an_onnx_graph_of_other_inputs_is_not_loaded(tmp_path: Path) -> None:
    save_onnx(tmp_path, ("attention_mask", "input_ids"))
    OnnxRuntime(tmp_path, 1)
    save_onnx(tmp_path, ("tokens", "mask"))
    with pytest.raises(ValueError, match=r"model\.onnx takes the inputs tokens, mask"):
        OnnxRuntime(tmp_path, 1)


def test_an_openvino_model_of_other_inputs_is_not_loaded(tmp_path: Path) -> None:
    import openvino

    save_onnx(tmp_path, ("tokens", "mask"))
    openvino.save_model(openvino.convert_model(tmp_path / "model.onnx"), tmp_path / "model.xml")
    with pytest.raises(ValueError, match=r"model\.xml takes the inputs"):
        OpenVino(tmp_path, 1)


def test_a_torchscript_model_of_other_inputs_is_not_loaded(tmp_path: Path) -> None:
    class Other(torch.nn.Module):
        def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return tokens + mask

    some = torch.ones((2, 3), dtype=torch.int64)
    traced = torch.jit.trace(Other().eval(), example_kwarg_inputs={"tokens": some, "mask": some.clone()})
    torch.jit.freeze(traced).save(str(tmp_path / "model.torchscript.pt"))
    with pytest.raises(ValueError, match="takes the inputs tokens, mask"):
        TorchScript(tmp_path, 1)
