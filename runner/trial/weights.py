"""How many bits the int8 weights of an artifact take up, read from its files: 8-bit ones can make products saturate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from runner.machine.int8 import EIGHT_BITS, LARGEST_OF_SEVEN_BITS, SEVEN_BITS

# Operators that hand weights on to the one that uses them, and those that only look rows up.
_ONNX_PASSES_ON, _ONNX_LOOKS_UP = {"DequantizeLinear", "Transpose"}, {"EmbedLayerNormalization", "Gather"}
_OPENVINO_PASSES_ON = {"Convert", "Subtract", "Multiply", "Reshape"}


def int8_weight_bits(artifact: Path, precision: str | None) -> int | None:
    """Return the bits of the signed weights that an artifact multiplies by unsigned 8-bit activations.

    They are 8 if a weight is beyond ±64, else 7. They are 0 if there are no such weights: weights of an ONNX model may
    be unsigned or packed in blocks, and the dynamic int8 of PyTorch rounds activations to 7 bits. All of these were
    tried, see docs/measuring.md.

    Args:
        artifact: its folder.
        precision: what the engine multiplies in, see `runner.engines.engine.Engine`; None if it cannot tell.
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
    """Yield the int8 matrices of a graph, and of the graphs within it, that some operator multiplies by."""
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
        if node.op_type in _ONNX_PASSES_ON
        else node.op_type not in _ONNX_LOOKS_UP
        for node in readers.get(name, [])
    )


def _of_openvino(path: Path) -> Iterator[np.ndarray]:
    """Yield the int8 matrices that a MatMul multiplies by activations which a FakeQuantize rounds."""
    import openvino

    for node in openvino.Core().read_model(path).get_ordered_ops():
        if node.get_type_name() == "MatMul" and node.input_value(0).get_node().get_type_name() == "FakeQuantize":
            weight = node.input_value(1).get_node()
            while weight.get_type_name() in _OPENVINO_PASSES_ON:
                weight = weight.input_value(0).get_node()
            if weight.get_type_name() == "Constant" and weight.get_element_type() == openvino.Type.i8:
                yield weight.data
