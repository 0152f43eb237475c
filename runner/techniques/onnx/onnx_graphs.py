"""What the steps from one ONNX graph to another share."""

from __future__ import annotations

from typing import Any

import numpy as np

from runner.models.inputs import INPUTS

_STILL_IDS = ("Cast", "Identity", "Reshape", "Slice", "Squeeze", "Unsqueeze")
_LEAST, _MOST = 5, 200  # ids of the texts that two models are compared on, where the vocabulary is as large


def largest_difference(one: Any, other: Any) -> float:
    """Return the largest absolute difference of two models' logits, with padding and without.

    Args:
        one, other: `onnx.ModelProto`s that take some of `INPUTS`, int64 [batch, length].
    """
    import onnxruntime

    sessions = [
        onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        for model in (one, other)
    ]
    most = min(_MOST, vocabulary(one))
    generator = np.random.default_rng(0)
    worst = 0.0
    for rows, columns in ((1, 9), (3, 33)):
        input_ids = generator.integers(min(_LEAST, most - 1), most, (rows, columns))
        attention_mask = np.ones_like(input_ids)
        attention_mask[1:, columns // 2 :] = 0
        token_types = np.zeros_like(input_ids)
        token_types[:, columns // 3 :] = 1
        given = dict(zip(INPUTS, (input_ids, attention_mask, token_types), strict=True))
        first, second = (
            session.run(None, {end.name: given[end.name] for end in session.get_inputs()})[0] for session in sessions
        )
        worst = max(worst, float(np.abs(first - second).max()))
    return worst


def vocabulary(model: Any) -> int:
    """Return how many tokens a model (an `onnx.ModelProto`) has embeddings for: the rows that input_ids look up."""
    rows = {tensor.name: int(tensor.dims[0]) for tensor in model.graph.initializer if tensor.dims}
    ids, found = {"input_ids"}, []
    for node in model.graph.node:  # each after those that it reads
        if node.op_type in _STILL_IDS and node.input[0] in ids:
            ids.update(node.output)
        elif node.op_type == "Gather" and node.input[1] in ids and node.input[0] in rows:
            found.append(rows[node.input[0]])
    return min(found)


def without_identities(model: Any) -> None:
    """Give nodes the matrices themselves that reach them through Identity: a weight that is used more than once does,
    and quantizers do not see it. (Vectors stay behind it: equal biases are one, and would all be rounded with one.)"""
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
    """Compute beforehand what follows from weights alone, if there are products among it, as of DeBERTa's positions.

    ONNX Runtime would do so whenever it loads the model, but not once the weights are quantized.
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
    alone = onnx.helper.make_model(part, opset_imports=model.opset_import, ir_version=model.ir_version)
    session = onnxruntime.InferenceSession(alone.SerializeToString(), providers=["CPUExecutionProvider"])
    arrays = zip(needed, session.run(None, {}), strict=True)
    tensors = [onnx.numpy_helper.from_array(array, name) for name, array in arrays]
    used = {name for node in kept for name in node.input}
    weights = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(kept)
    graph.initializer.extend([*weights, *tensors])
