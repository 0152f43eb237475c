"""Functions that several steps use to compare and change ONNX graphs."""

from __future__ import annotations

from typing import Any

import numpy as np

from runner.models.inputs import INPUTS

_STILL_IDS = ("Cast", "Identity", "Reshape", "Slice", "Squeeze", "Unsqueeze")
_MIN_ID, _MAX_ID = 5, 200  # the range of the token ids on which two models are compared; small vocabularies limit it


def largest_difference(model: Any, other: Any) -> float:
    """Return the largest absolute difference between two models' logits, with padding and without.

    Args:
        model, other: `onnx.ModelProto`s that take inputs of `INPUTS`, int64 [batch, length].
    """
    import onnxruntime

    sessions = [
        onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
        for proto in (model, other)
    ]
    max_id = min(_MAX_ID, vocabulary(model))
    generator = np.random.default_rng(0)
    worst = 0.0
    for rows, columns in ((1, 9), (3, 33)):
        input_ids = generator.integers(min(_MIN_ID, max_id - 1), max_id, (rows, columns))
        attention_mask = np.ones_like(input_ids)
        attention_mask[1:, columns // 2 :] = 0
        token_types = np.zeros_like(input_ids)
        token_types[:, columns // 3 :] = 1
        arrays = dict(zip(INPUTS, (input_ids, attention_mask, token_types), strict=True))
        first, second = (
            session.run(None, {end.name: arrays[end.name] for end in session.get_inputs()})[0] for session in sessions
        )
        worst = max(worst, float(np.abs(first - second).max()))
    return worst


def vocabulary(model: Any) -> int:
    """Return the number of tokens for which an `onnx.ModelProto` has embeddings."""
    rows = {tensor.name: int(tensor.dims[0]) for tensor in model.graph.initializer if tensor.dims}
    ids, table_rows = {"input_ids"}, []
    for node in model.graph.node:  # a node comes after the nodes whose outputs it reads
        if node.op_type in _STILL_IDS and node.input[0] in ids:
            ids.update(node.output)
        elif node.op_type == "Gather" and node.input[1] in ids and node.input[0] in rows:
            table_rows.append(rows[node.input[0]])
    return min(table_rows)


def without_identities(model: Any) -> None:
    """Remove the Identity nodes before matrices, so that nodes read the matrices themselves.

    The exporter puts an Identity before a weight that is used twice, and quantizers do not see such a weight. Vectors
    keep their Identity: equal biases share one tensor, so quantizing one would round all of them.
    """
    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer if len(tensor.dims) == 2}
    outputs = {value.name for value in graph.output}
    stands_for: dict[str, str] = {}
    kept = []
    for node in graph.node:
        source = stands_for.get(node.input[0], node.input[0]) if node.input else ""
        if node.op_type == "Identity" and source in weights and node.output[0] not in outputs:
            stands_for[node.output[0]] = source
        else:
            kept.append(node)
    for node in kept:
        node.input[:] = [stands_for.get(name, name) for name in node.input]
    del graph.node[:]
    graph.node.extend(kept)


def fold_products(model: Any) -> None:
    """Compute the values that depend only on weights, if they contain products, as DeBERTa's positions do.

    ONNX Runtime does the same whenever it loads the model, but cannot do so once the weights are quantized.
    """
    import onnx
    import onnxruntime

    graph = model.graph
    known = {tensor.name for tensor in graph.initializer}
    folded = []
    for node in graph.node:
        if all(name in known for name in node.input if name):
            folded.append(node)
            known.update(node.output)
    if not any(node.op_type in ("MatMul", "Gemm") for node in folded):
        return
    made = {name for node in folded for name in node.output}
    kept = [node for node in graph.node if node.output[0] not in made]
    needed = sorted(made.intersection(name for node in kept for name in node.input))
    outputs = [onnx.helper.make_empty_tensor_value_info(name) for name in needed]
    part = onnx.helper.make_graph(folded, "weights", [], outputs, list(graph.initializer))
    weights_model = onnx.helper.make_model(part, opset_imports=model.opset_import, ir_version=model.ir_version)
    session = onnxruntime.InferenceSession(weights_model.SerializeToString(), providers=["CPUExecutionProvider"])
    arrays = zip(needed, session.run(None, {}), strict=True)
    tensors = [onnx.numpy_helper.from_array(array, name) for name, array in arrays]
    used = {name for node in kept for name in node.input}
    weights = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(kept)
    graph.initializer.extend([*weights, *tensors])
