"""Find the number of bits of an artifact's int8 weights in its files. Products of 8-bit weights can saturate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from runner.machine.int8 import EIGHT_BITS, LARGEST_OF_SEVEN_BITS, SEVEN_BITS

# Operators that pass weights to the operator that uses them, and operators that only select rows of them.
_ONNX_PASSING, _ONNX_SELECTING = {"DequantizeLinear", "Transpose"}, {"EmbedLayerNormalization", "Gather"}
_OPENVINO_PASSING = {"Convert", "Subtract", "Multiply", "Reshape"}


def int8_weight_bits(artifact: Path, precision: str | None) -> int | None:
    """Return the number of bits of the signed weights that an artifact multiplies by unsigned 8-bit activations.

    It is 8 if a weight is beyond ±64, or else 7. It is 0 if there are no such weights: weights of an ONNX model may be
    unsigned or packed in blocks, and the dynamic int8 of PyTorch rounds activations to 7 bits. docs/measuring.md
    describes the experiments with all of these.

    Args:
        artifact: the artifact's folder.
        precision: the precision in which the engine multiplies, or None if the engine does not know it; see
            `runner.engines.engine.Engine`.
    """
    if precision is not None and "int8" not in precision:
        return 0
    weights = (
        _of_onnx(path)
        if (path := artifact / "model.onnx").exists()
        else _of_openvino(path)
        if (path := artifact / "model.xml").exists()
        else iter(())
    )
    largest = max((int(np.abs(weight.astype(np.int16)).max()) for weight in weights), default=None)
    if largest is None:
        return 0
    return EIGHT_BITS if largest > LARGEST_OF_SEVEN_BITS else SEVEN_BITS


def _of_onnx(path: Path) -> Iterator[np.ndarray]:
    """Yield the int8 matrices by which an operator multiplies, in a graph and in all graphs within it."""
    import onnx

    graphs = list(_graphs(onnx.load(path).graph))
    readers: dict[str, list[Any]] = {}
    for node in (node for graph in graphs for node in graph.node):
        for name in node.input:
            readers.setdefault(name, []).append(node)
    for tensor in (tensor for graph in graphs for tensor in graph.initializer):
        if tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) > 1 and _is_multiplied(tensor.name, readers):
            yield onnx.numpy_helper.to_array(tensor, path.parent)


def _graphs(graph: Any) -> Iterator[Any]:
    """Yield a graph and all graphs within it, such as the branches of an If."""
    yield graph
    for attribute in (attribute for node in graph.node for attribute in node.attribute):
        if attribute.HasField("g"):
            yield from _graphs(attribute.g)


def _is_multiplied(name: str, readers: dict[str, list[Any]]) -> bool:
    return any(
        any(_is_multiplied(output, readers) for output in node.output)
        if node.op_type in _ONNX_PASSING
        else node.op_type not in _ONNX_SELECTING
        for node in readers.get(name, [])
    )


def _of_openvino(path: Path) -> Iterator[np.ndarray]:
    """Yield the int8 matrices that a MatMul multiplies by activations from a FakeQuantize."""
    import openvino

    for node in openvino.Core().read_model(path).get_ordered_ops():
        if node.get_type_name() == "MatMul" and node.input_value(0).get_node().get_type_name() == "FakeQuantize":
            weight = node.input_value(1).get_node()
            while weight.get_type_name() in _OPENVINO_PASSING:
                weight = weight.input_value(0).get_node()
            if weight.get_type_name() == "Constant" and weight.get_element_type() == openvino.Type.i8:
                yield weight.data
