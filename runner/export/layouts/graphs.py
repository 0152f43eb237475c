"""Write a model's graph where a layout wants it, under the names of outputs that its loader reads.

A model that gives vectors pools its tokens itself, since that is what was measured. Loaders of such models read the
states of all tokens and pool them. So the vector becomes the state of one token, `last_hidden_state`, float32
[batch, 1, width], and a loader that pools by the first token gets the vector unchanged.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from runner.config.task_kinds import VECTORS
from runner.export.layouts.layout import Handover
from runner.techniques.openvino.openvino_graphs import import_openvino

LOGITS = "logits"
_STATES = "last_hidden_state"
_ONNX, _XML = "model.onnx", "model.xml"


def load_onnx(handover: Handover) -> Any:
    """Return the variant's `onnx.ModelProto`, without the tensors that are in other files."""
    import onnx

    return onnx.load(handover.sources.artifact / _ONNX, load_external_data=False)


def other_files(handover: Handover) -> list[Path]:
    """Return the files beside the variant's ONNX graph that hold its tensors."""
    return [*handover.sources.artifact.glob(f"{_ONNX}?*")]


def output_shape(handover: Handover) -> list[int]:
    """Return the shape of the model's output. A size that is free is -1."""
    if handover.variant.engine == "openvino":
        model = import_openvino().Core().read_model(handover.sources.artifact / _XML)
        return [-1 if size.is_dynamic else size.get_length() for size in model.outputs[0].get_partial_shape()]
    from onnx import shape_inference

    graph = load_onnx(handover)
    return _sizes(graph.graph.output[0]) or _sizes(shape_inference.infer_shapes(graph).graph.output[0])


def free_batch(handover: Handover) -> bool:
    """Return whether the inputs of an ONNX graph take any number of texts."""
    graph = load_onnx(handover).graph
    return all(_sizes(end)[0] == -1 for end in graph.input if end.name in handover.sources.inputs)


def _sizes(end: Any) -> list[int]:
    return [size.dim_value or -1 for size in end.type.tensor_type.shape.dim]


def write_onnx(handover: Handover, path: Path) -> None:
    """Write the graph, and the files of its tensors beside it. Its output gets the name that loaders read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for file in other_files(handover):
        shutil.copyfile(file, path.parent / file.name)
    wanted = _STATES if handover.variant.kind in VECTORS else LOGITS
    graph = load_onnx(handover)
    if wanted == graph.graph.output[0].name:
        shutil.copyfile(handover.sources.artifact / _ONNX, path)
    else:
        _name_output(graph.graph, wanted)
        path.write_bytes(graph.SerializeToString())


def _name_output(graph: Any, wanted: str) -> None:
    from onnx import TensorProto, helper

    output = graph.output[0]
    if wanted == _STATES:
        shape = helper.make_tensor(f"{wanted}_shape", TensorProto.INT64, [3], [0, 1, -1])  # 0 keeps the batch size
        graph.initializer.append(shape)
        graph.node.append(helper.make_node("Reshape", [output.name, shape.name], [wanted]))
        sizes = output.type.tensor_type.shape.dim
        width = sizes[-1].dim_value if len(sizes) == 2 and sizes[-1].dim_value else "width"
        dims: list[Any] | None = ["batch", 1, width]
    else:
        graph.node.append(helper.make_node("Identity", [output.name], [wanted]))
        dims = None
    named = helper.make_tensor_value_info(wanted, output.type.tensor_type.elem_type, dims)
    if dims is None:
        named.type.CopyFrom(output.type)
    del graph.output[:]
    graph.output.append(named)


def write_openvino(handover: Handover, path: Path) -> None:
    """Write the graph, NAME.xml, and its weights, NAME.bin. Its output gets the name that loaders read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if handover.variant.kind not in VECTORS:
        for suffix in (".xml", ".bin"):
            shutil.copyfile(handover.sources.artifact / f"model{suffix}", path.with_suffix(suffix))
        return
    openvino = import_openvino()
    from openvino import opset13

    model = openvino.Core().read_model(handover.sources.artifact / _XML)
    vector = model.outputs[0].get_node().input_value(0)
    states = opset13.unsqueeze(vector, opset13.constant([1]))
    states.output(0).get_tensor().set_names({_STATES})
    changed = openvino.Model([opset13.result(states)], model.get_parameters(), "model")
    openvino.save_model(changed, path, compress_to_fp16=False)
