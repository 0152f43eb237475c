"""Import a model that exists only as ONNX: its graph as it is, and the tokenizer beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.models.inputs import INPUTS
from runner.models.onnx_file import check_onnx
from runner.tasks.texts import read_kind
from runner.techniques.importing.graph_import import EXAMPLES, Fit, GraphImport, Signature
from runner.techniques.step import StepInputs, step

_MODEL = "model.onnx"
_AXES_ARE_INPUTS = 13  # the opset from which axes are an input and no longer an attribute
_INT64 = 7


@step("import-onnx")
@dataclass
class ImportOnnx(GraphImport):
    """files → onnx: the graph of a classifier or an encoder as it is, with config.json and the tokenizer of its folder.

    The graph takes input_ids, attention_mask and, if it has that input, token_type_ids, of any batch size and length.
    The outputs of a classifier are put into the order of the task's labels. Other outputs of the graph are left out.

    Attributes:
        file: the path of the graph in the model's folder.
        head: "load" takes the graph's own logits. For a task of vectors, a text's vector is the "mean" of its tokens'
            last hidden states, or the "first" token's.
    """

    gives = "onnx"

    file: str = _MODEL
    head: str = "load"

    def read_signature(self, path: Path, where: str) -> Signature:
        """Check the protobuf, and return the names of the inputs and outputs."""
        check_onnx(path, where)
        return _signature(_read(path, external=False))

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Write model.onnx, config.json and tokenizer.json.

        Raises:
            UserError: if the graph cannot be run on batches of any size and length.
        """
        import onnx

        assert inputs.source is not None
        model, fit = _read(inputs.source / self.file), self.fit(inputs.source, inputs.texts, "model")
        signature = _signature(model)
        self.check_inputs(signature, "model")
        output = self.output_of(signature, "model")
        element = _element(model, output)
        if self.pools:
            output = _pool(model, output, self.head, fit.normalized)
        _keep_output(model, output, element, fit.order)
        onnx.save(model, target / _MODEL)
        self._check_runs(target / _MODEL, signature, read_kind(inputs.texts), fit)
        return self.write_rest(inputs, target, fit, signature)

    def _check_runs(self, path: Path, signature: Signature, kind: str, fit: Fit) -> None:
        """Check that a graph takes texts in batches of any size and length, and gives outputs that fit."""
        import numpy as np
        import onnxruntime

        try:
            session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
            calls = [{name: np.ones(shape, np.int64) for name in signature.inputs} for shape in EXAMPLES]
            shapes = [session.run(None, call)[0].shape for call in calls]
        except Exception as error:  # any error of the runtime means that the file is at fault
            raise self.cannot_run(error) from None
        self.check_outputs(shapes, kind, fit)


def _read(path: Path, external: bool = True) -> Any:
    import onnx

    return onnx.load(path, load_external_data=external)


def _signature(model: Any) -> Signature:
    weights = {tensor.name for tensor in model.graph.initializer}  # old graphs list them as inputs, too
    inputs = [entry.name for entry in model.graph.input if entry.name not in weights]
    return Signature(inputs, [entry.name for entry in model.graph.output])


def _keep_output(model: Any, name: str, element: int, order: list[int] | None) -> None:
    """Leave one output, with the last axis in another order if one is given."""
    from onnx import helper

    graph = model.graph
    kept = [entry for entry in graph.output if entry.name == name and not order]
    if order:
        ordered = f"{name}_in_order"
        places = helper.make_tensor(f"{ordered}_places", _INT64, [len(order)], order)
        graph.initializer.append(places)
        graph.node.append(helper.make_node("Gather", [name, places.name], [ordered], axis=-1))
        name = ordered
    output = type(kept[0]).FromString(kept[0].SerializeToString()) if kept else None
    del graph.output[:]
    graph.output.append(output or helper.make_tensor_value_info(name, element, None))


def _pool(model: Any, states: str, head: str, normalized: bool) -> str:
    """Add nodes that pool the tokens' vectors as `runner.engines.checkpoint.Embedder` does, and return their output."""
    from onnx import helper

    graph = model.graph

    def add(operator: str, sources: list[str], over: int | None = None, **attributes: Any) -> str:
        """Add a node, and return the name of its output. `over` is the axis for operators that take several."""
        result = f"pooling_{len(graph.node)}"
        if over is not None and _opset(model) < _AXES_ARE_INPUTS:
            attributes["axes"] = [over]
        elif over is not None:
            graph.initializer.append(helper.make_tensor(f"{result}_axes", _INT64, [1], [over]))
            sources = [*sources, f"{result}_axes"]
        graph.node.append(helper.make_node(operator, sources, [result], **attributes))
        return result

    if head == "first":
        graph.initializer.append(helper.make_tensor("pooling_first", _INT64, [], [0]))
        vectors = add("Gather", [states, "pooling_first"], axis=1)
    else:
        mask = add("Cast", [INPUTS[1]], to=_element(model, states))
        total = add("Squeeze", [add("MatMul", [add("Unsqueeze", [mask], over=1), states])], over=1)
        vectors = add("Div", [total, add("ReduceSum", [mask], over=1)])
    return add("LpNormalization", [vectors]) if normalized else vectors


def _element(model: Any, output: str) -> int:
    """Return the type of an output's elements."""
    return next(int(entry.type.tensor_type.elem_type) for entry in model.graph.output if entry.name == output)


def _opset(model: Any) -> int:
    return next(int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
