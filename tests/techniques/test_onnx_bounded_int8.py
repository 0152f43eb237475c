"""What stays in float32: nothing if nothing is lost, the layers that move logits the most, and all in the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from runner.errors import UserError
from runner.tasks.texts import read_split
from runner.techniques.chain import make_step
from runner.techniques.onnx.onnx_bounded_int8 import OnnxBoundedInt8, _Trials
from runner.techniques.onnx.selection import selection_texts
from runner.techniques.step import StepInputs
from tests.techniques.conftest import apply_step


@pytest.fixture(scope="module")
def trained(bert: Path, texts: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A tiny BERT that has learned its task, and its graph."""
    folder = tmp_path_factory.mktemp("trained")
    model, _ = apply_step(folder / "model", bert, texts, step="fine-tune", epochs=6, learning_rate=0.003)
    graph, _ = apply_step(folder / "graph", model, texts, step="onnx-export")
    return model, graph


def bounded(target: Path, trained: tuple[Path, Path], texts: Path, **entry: Any) -> tuple[set[str], dict[str, Any]]:
    """Run the step, and return the types of the operators of the graph and the notes."""
    made, notes = apply_step(target, trained[1], texts, trained[0], step="onnx-bounded-int8", **entry)
    return {node.op_type for node in onnx.load(made / "model.onnx").graph.node}, notes


def test_nothing_stays_if_nothing_is_lost(trained: tuple[Path, Path], texts: Path, tmp_path: Path) -> None:
    _, notes = bounded(tmp_path / "made", trained, texts, margin=90.0)
    assert notes["left_in_float32"] == []
    assert notes["layers"] > 10
    assert (notes["texts"], notes["split"]) == (60, "validation")
    assert notes["accuracy_in_float32"] > 0.9


def test_layers_stay_until_the_bound_is_kept(
    trained: tuple[Path, Path], texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here int8 moves the logits of any text in which more than three layers are quantized to the wrong label."""
    true, quantized = _Trials._logits, list[int]()

    def spoiled(self: _Trials, path: Path) -> np.ndarray:
        graph = onnx.load(path).graph
        quantized.append(sum("quant" in tensor.name for tensor in graph.initializer if len(tensor.dims) > 1))
        logits = true(self, path)
        return -logits if quantized[-1] > 3 else logits

    monkeypatch.setattr(_Trials, "_logits", spoiled)
    _, notes = bounded(tmp_path / "made", trained, texts, margin=0.0)
    assert notes["layers"] - len(notes["left_in_float32"]) == 3
    assert notes["accuracy"] >= notes["accuracy_in_float32"] > 0.9


def test_the_most_sensitive_layer_comes_first(trained: tuple[Path, Path], texts: Path, tmp_path: Path) -> None:
    """If one weight is thirty times as large as the others, these lose most of their bits. Here it is the head."""
    model = onnx.load(trained[1] / "model.onnx")
    weights = {tensor.name: tensor for tensor in model.graph.initializer if len(tensor.dims) == 2}
    node = [node for node in model.graph.node if node.op_type == "Gemm" and weights.keys() & set(node.input)][-1]
    (name,) = weights.keys() & set(node.input)
    spoiled = onnx.numpy_helper.to_array(weights[name]).copy()
    spoiled[0, 0] = 30 * np.abs(spoiled).max()
    weights[name].CopyFrom(onnx.numpy_helper.from_array(spoiled, name))
    onnx.save(model, tmp_path / "model.onnx")
    step = OnnxBoundedInt8(embeddings=False)
    inputs = StepInputs(tmp_path, texts, 1, trained[0], report=lambda line: None)
    made = tmp_path / "made"
    made.mkdir()
    trials = _Trials(step, tmp_path / "model.onnx", made, selection_texts(texts, 20), inputs)
    assert trials.by_sensitivity(inputs)[0] == node.name


def test_the_texts_are_those_of_validation_and_never_of_the_test(texts: Path) -> None:
    chosen = selection_texts(texts, 1000)
    assert list(chosen.texts) == [example.text for example in read_split(texts, "validation")]
    assert chosen.accuracy(np.eye(3)[list(chosen.labels)]) == 1.0


@pytest.mark.parametrize(("key", "value"), [("margin", -0.1), ("margin", 100.0), ("samples", 0), ("max_length", 2)])
def test_wrong_values_are_refused_with_the_key(key: str, value: float) -> None:
    with pytest.raises(UserError, match=f"step 'onnx-bounded-int8': {key} is"):
        make_step({"step": "onnx-bounded-int8", key: value}, "test")
