"""Import a classifier that is there only as ONNX: its graph as it is, and the tokenizer beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.config.task_kinds import CLASSIFIED, RERANK, TOKENS
from runner.errors import UserError, first_line
from runner.models.inputs import INPUTS
from runner.models.onnx_file import check_onnx
from runner.tasks.texts import read_kind, read_labels, read_stated
from runner.techniques.importing.heads import check_head, read_config
from runner.techniques.importing.labels import LabelMatch, match_labels
from runner.techniques.importing.model_tokenizer import check_tokenizer_files, import_tokenizer
from runner.techniques.step import Step, StepInputs, step

_MODEL = "model.onnx"
_LOGITS = "logits"
_EXAMPLES = ((1, 5), (3, 7))  # shapes of calls, [texts, tokens]


@step("import-onnx")
@dataclass
class ImportOnnx(Step):
    """files → onnx: a classifier's graph as it is, with config.json and the tokenizer of its folder.

    The graph takes input_ids, attention_mask and, if it has that input, token_type_ids, of any batch size and length.
    Its outputs are put into the order of the task's labels.

    Attributes:
        file: the path of the graph in the model's folder.
    """

    takes = "files"
    gives = "onnx"
    kinds = (*CLASSIFIED, TOKENS, RERANK)
    keeps_flops = False  # a graph may be quantized or fused, so its products are not counted
    reads_texts = True  # it reads the labels, and compares tokens on the texts
    keeps_predictions = True

    file: str = _MODEL

    @classmethod
    def gives_tokenizer(cls) -> bool:
        """Return True: the tokenizer is beside the graph."""
        return True

    def check_files(self, files: Path, texts: Path, where: str) -> list[str]:
        """Check the graph, its inputs and outputs, and the labels, without running anything."""
        path = files / self.file
        if not path.is_file():
            raise UserError(f"{where}: there is no {self.file} in the model's folder. Name the graph's path in `file`.")
        check_onnx(path, where)
        check_tokenizer_files(files)
        _check_signature(_read(path, external=False), self.file, where)
        return self._match(files, texts, where).remarks()

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Write model.onnx, config.json and tokenizer.json.

        Raises:
            UserError: if the graph cannot be run on batches of any size and length.
        """
        import onnx

        from runner.engines.checkpoint import TOKEN_TYPES
        from runner.techniques.importing.import_checkpoint import load_config

        assert inputs.source is not None
        model, match = _read(inputs.source / self.file), self._match(inputs.source, inputs.texts, "model")
        names = _check_signature(model, self.file, "model")
        _put_in_order(model, match.order)
        onnx.save(model, target / _MODEL)
        _check_runs(target / _MODEL, names, len(match.names))
        config = load_config(inputs.source)
        config.id2label = dict(enumerate(match.all_names))
        config.label2id = {name: place for place, name in enumerate(match.all_names)}
        import_tokenizer(inputs.source, target, inputs.texts, config)
        setattr(config, TOKEN_TYPES, INPUTS[2] in names)
        config.save_pretrained(target)
        return {"head": "load", "labels": match.all_names, "label_outputs": match.notes()}

    def _match(self, files: Path, texts: Path, where: str) -> LabelMatch:
        names = check_head(read_config(files, where), {}, read_kind(texts), where)
        return match_labels(read_labels(texts), names, read_stated(texts), where)


def _read(path: Path, external: bool = True) -> Any:
    import onnx

    return onnx.load(path, load_external_data=external)


def _check_signature(model: Any, file: str, where: str) -> list[str]:
    """Check the names of the inputs and that one output holds the logits; return the inputs."""
    weights = {tensor.name for tensor in model.graph.initializer}  # old graphs list them as inputs, too
    names = [entry.name for entry in model.graph.input if entry.name not in weights]
    if not set(INPUTS[:2]) <= set(names) <= set(INPUTS):
        raise UserError(
            f"{where}: {file} takes the inputs {', '.join(names) or 'none'}, but a text gives {', '.join(INPUTS)}. "
            "Export it again with inputs of these names."
        )
    outputs = [entry.name for entry in model.graph.output]
    if len(outputs) > 1 and _LOGITS not in outputs:
        raise UserError(
            f"{where}: {file} has the outputs {', '.join(outputs)}, of which none is called {_LOGITS}. Export it again "
            "as a classifier."
        )
    return names


def _put_in_order(model: Any, order: list[int]) -> None:
    """Leave the logits as the only output, with the last axis in another order."""
    from onnx import helper

    graph = model.graph
    (logits,) = [entry for entry in graph.output if entry.name == _LOGITS] or [graph.output[0]]
    kept = logits.name
    if order != sorted(order):
        ordered = f"{kept}_in_order"
        places = helper.make_tensor(f"{ordered}_places", 7, [len(order)], order)  # 7 is int64
        graph.initializer.append(places)
        graph.node.append(helper.make_node("Gather", [kept, places.name], [ordered], axis=-1))
        logits = helper.make_tensor_value_info(ordered, logits.type.tensor_type.elem_type, None)
    else:
        logits = type(logits).FromString(logits.SerializeToString())
    del graph.output[:]
    graph.output.append(logits)


def _check_runs(path: Path, names: list[str], outputs: int) -> None:
    """Check that a graph takes texts in batches of any size and length, and gives this many outputs.

    Raises:
        UserError: if it does not.
    """
    import numpy as np
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        for shape in _EXAMPLES:
            logits = session.run(None, {name: np.ones(shape, np.int64) for name in names})[0]
    except Exception as error:  # whatever the runtime raises, the file is at fault
        raise UserError(
            f"model: {path.name} cannot be run on {_EXAMPLES[-1][0]} texts of {_EXAMPLES[-1][1]} tokens: "
            f"{first_line(error)}. Export it again with a free batch size and length."
        ) from None
    if logits.shape[-1] != outputs:
        raise UserError(
            f"model: {path.name} has {logits.shape[-1]} outputs, but id2label in config.json names {outputs}. Name all "
            "of them, in their order."
        )
