"""Graphs are simplified before they are quantized, and compared on tokens that they know."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from runner.techniques.onnx.onnx_graphs import fold_products, largest_difference, vocabulary, without_identities

TABLE = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
ONE, OTHER = np.random.default_rng(1).normal(size=(2, 4, 4)).astype(np.float32)


def graph(*nodes: Any) -> Any:
    """Return a model of input_ids and attention_mask to logits, with the weights table, one and other."""
    tokens: list[str | int] = ["batch", "length"]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, tokens) for name in ("input_ids", "attention_mask")
    ]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [*tokens, 4])]
    weights = {"table": TABLE, "one": ONE, "other": OTHER}
    tensors = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    look_up = helper.make_node("Gather", ["table", "input_ids"], ["vectors"], "look_up")
    whole = helper.make_graph([look_up, *nodes], "g", inputs, outputs, tensors)
    return helper.make_model(whole, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def logits(model: Any) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    ids = np.arange(6).reshape(2, 3)
    result: np.ndarray = session.run(["logits"], {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0]
    return result


def test_a_weight_that_is_used_again_is_itself() -> None:
    model = graph(
        helper.make_node("MatMul", ["vectors", "one"], ["first"], "first"),
        helper.make_node("Identity", ["one"], ["again"], "again"),
        helper.make_node("Identity", ["again"], ["and_again"], "and_again"),
        helper.make_node("MatMul", ["first", "and_again"], ["logits"], "second"),
    )
    before = logits(model)
    without_identities(model)
    assert [node.op_type for node in model.graph.node] == ["Gather", "MatMul", "MatMul"]
    assert model.graph.node[2].input[1] == "one"
    np.testing.assert_array_equal(logits(model), before)


def test_an_output_keeps_its_name() -> None:
    model = graph(helper.make_node("Identity", ["vectors"], ["logits"], "end"))
    before = logits(model)
    without_identities(model)
    np.testing.assert_array_equal(logits(model), before)


def test_products_of_weights_are_computed_beforehand() -> None:
    model = graph(
        helper.make_node("Transpose", ["one"], ["turned"], "turn"),
        helper.make_node("MatMul", ["turned", "other"], ["product"], "product"),
        helper.make_node("MatMul", ["vectors", "product"], ["logits"], "end"),
    )
    before = logits(model)
    fold_products(model)
    assert [node.name for node in model.graph.node] == ["look_up", "end"]
    assert {tensor.name for tensor in model.graph.initializer} == {"table", "product"}
    np.testing.assert_allclose(logits(model), before, atol=1e-6)


def test_a_graph_without_such_products_stays_as_it_is() -> None:
    model = graph(
        helper.make_node("Transpose", ["one"], ["turned"], "turn"),
        helper.make_node("MatMul", ["vectors", "turned"], ["logits"], "end"),
    )
    before = model.SerializeToString()
    fold_products(model)
    assert model.SerializeToString() == before


def test_graphs_are_compared_on_tokens_that_they_know() -> None:
    plain = graph(helper.make_node("MatMul", ["vectors", "one"], ["logits"], "end"))
    off = onnx.ModelProto()
    off.CopyFrom(plain)
    off.graph.node[1].input[1] = "other"
    assert vocabulary(plain) == 7
    assert largest_difference(plain, plain) == 0
    assert largest_difference(plain, off) > 0.1


def test_the_vocabulary_is_found_behind_a_reshape_of_the_ids() -> None:
    model = graph()
    del model.graph.node[:]
    model.graph.initializer.append(numpy_helper.from_array(np.array([-1, 3]), "shape"))
    model.graph.node.append(helper.make_node("Reshape", ["input_ids", "shape"], ["rows"], "rows"))
    model.graph.node.append(helper.make_node("Gather", ["table", "rows"], ["logits"], "look_up"))
    assert vocabulary(model) == 7
