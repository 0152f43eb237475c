"""Import a BERT encoder that was published only as ONNX, written by PyTorch's tracing exporter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runner.config.task_kinds import CLASSIFIED
from runner.errors import UserError
from runner.tasks.texts import read_labels
from runner.techniques.importing.model_tokenizer import check_tokenizer_files, import_tokenizer
from runner.techniques.importing.weights import check_finite
from runner.techniques.shape import Shape
from runner.techniques.step import Step, StepInputs, step

_NO_PREFIX = "embeddings.word_embeddings.weight"  # what comes before it is the prefix of the encoder's names


@step("import-onnx-bert")
@dataclass
class ImportOnnxBert(Step):
    """files → checkpoint: make a BERT with a new head from model.onnx and tokenizer.json. Then train the head.

    The exporter keeps the names of biases and normalizations. It stores the weight of a linear layer transposed and
    without its name, so the weight is found through the bias that is added to its product. Sizes follow from the
    tensors' shapes.

    Attributes:
        heads: the number of heads in every layer, the only size that no tensor shows.
        seed: the seed of the new head, and of the pooler if the file has none.
    """

    takes = "files"
    gives = "checkpoint"
    kinds = CLASSIFIED
    reads_texts = True  # it reads the labels, and compares tokens on the texts

    heads: int = 12
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.heads, int) and self.heads < 1:
            raise UserError(f"step 'import-onnx-bert': heads is {self.heads}, but must be at least 1.")

    def check_files(self, files: Path, texts: Path, where: str) -> list[str]:
        """Check the tokenizer's files; see `check_tokenizer_files`."""
        check_tokenizer_files(files)
        return []

    def infer_shape(self, shape: Shape) -> Shape:
        """Return the shape of a BERT with this number of heads, and check that they share the hidden width evenly."""
        if shape.hidden is not None and shape.hidden % self.heads:
            raise UserError(
                f"step 'import-onnx-bert': heads is {self.heads}, but must divide the model's hidden width, "
                f"{shape.hidden}."
            )
        return replace(
            shape,
            model_type="bert",
            heads=(self.heads,) * shape.layers if shape.layers else None,
            head_size=shape.hidden // self.heads if shape.hidden else None,
        )

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Write the checkpoint, and return how far its hidden states are from those of the ONNX file.

        Raises:
            UserError: if the file is not such a BERT, or if the checkpoint computes something else.
        """
        import torch

        from runner.engines.checkpoint import save_checkpoint
        from runner.engines.lean_transformers import transformers

        assert inputs.source is not None
        labels = read_labels(inputs.texts)
        if not labels:
            raise UserError(
                "step 'import-onnx-bert': the task has no labels to train a head on. Take a task that has labels."
            )
        state = _encoder_state(inputs.source / "model.onnx")
        check_finite(state.items(), "model.onnx")
        torch.manual_seed(self.seed)
        model = transformers.BertForSequenceClassification(_config(state, self.heads, labels)).eval()
        missing, unexpected = model.bert.load_state_dict(state, strict=False)
        missing = [name for name in missing if not name.startswith("pooler.")]
        if missing or unexpected:
            raise UserError(f"model.onnx is not a BERT encoder: missing {missing[:3]}, unexpected {unexpected[:3]}.")
        difference = _difference(model.bert, inputs.source / "model.onnx")
        if not difference < 1e-4:
            raise UserError(
                f"model.onnx and the BERT made from it differ by {difference:.2g}. Check the key heads of the step "
                "import-onnx-bert."
            )
        import_tokenizer(inputs.source, target, inputs.texts, model.config)
        save_checkpoint(model, target, tokenizer_from=target)
        return {"head": "new", "labels": labels, "largest_difference": difference}


def _encoder_state(path: Path) -> dict[str, Any]:
    """Return the tensors of the encoder under the names that transformers' BertModel gives them."""
    import onnx
    import torch
    from onnx import numpy_helper

    if not path.is_file():
        raise UserError(
            "step 'import-onnx-bert': the model has no file model.onnx. Give the file this name in source.packages."
        )
    graph = onnx.load(path).graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    prefix = next((name.removesuffix(_NO_PREFIX) for name in tensors if name.endswith(_NO_PREFIX)), None)
    if prefix is None:
        raise UserError(f"model.onnx is not a BERT encoder: no tensor's name ends in {_NO_PREFIX}.")

    def value(name: str) -> torch.Tensor:
        return torch.tensor(numpy_helper.to_array(tensors[name]))

    state = {name.removeprefix(prefix): value(name) for name in tensors if name.startswith(prefix)}
    biases = {part: name for node in graph.node if node.op_type == "Add" for part, name in _bias_of(node, tensors)}
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in tensors and node.output[0] in biases:
            name = biases[node.output[0]].removeprefix(prefix).removesuffix(".bias") + ".weight"
            state[name] = value(node.input[1]).T.contiguous()
    return state


def _bias_of(node: Any, tensors: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the computed and the stored tensor's names if an Add node adds a stored tensor, its bias, to another."""
    stored = [name for name in node.input if name in tensors]
    computed = [name for name in node.input if name not in tensors]
    return [(computed[0], stored[0])] if len(stored) == 1 else []


def _config(state: dict[str, Any], heads: int, labels: list[str]) -> Any:
    from runner.engines.lean_transformers import transformers

    vocabulary, hidden = state["embeddings.word_embeddings.weight"].shape
    layers = 1 + max(int(name.split(".")[2]) for name in state if name.startswith("encoder.layer."))
    return transformers.BertConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=len(state["encoder.layer.0.intermediate.dense.bias"]),
        max_position_embeddings=len(state["embeddings.position_embeddings.weight"]),
        type_vocab_size=len(state["embeddings.token_type_embeddings.weight"]),
        id2label=dict(enumerate(labels)),
        label2id={name: index for index, name in enumerate(labels)},
    )


def _difference(encoder: Any, path: Path) -> float:
    """Return the largest absolute difference between the outputs of the encoder and the ONNX file on random tokens."""
    import numpy as np
    import onnxruntime
    import torch

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    ids = torch.randint(5, encoder.config.vocab_size, (3, 17), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[1, 9:] = 0
    known = {"input_ids": ids.numpy(), "attention_mask": mask.numpy(), "token_type_ids": np.zeros_like(ids.numpy())}
    if others := sorted({entry.name for entry in session.get_inputs()} - known.keys()):
        raise UserError(f"model.onnx has the inputs {', '.join(others)}, but may only have {', '.join(known)}.")
    outputs = session.run(None, {entry.name: known[entry.name] for entry in session.get_inputs()})
    with torch.inference_mode():
        hidden = encoder(ids, attention_mask=mask).last_hidden_state
    weights = mask.unsqueeze(-1)
    pooled = (hidden * weights).sum(1) / weights.sum(1)
    candidates = [hidden, pooled, torch.nn.functional.normalize(pooled, dim=1)]
    differences = [
        float((torch.from_numpy(output) - candidate)[mask.bool() if output.ndim == 3 else ...].abs().max())
        for output in outputs
        for candidate in candidates
        if output.shape == tuple(candidate.shape)
    ]
    return min(differences, default=float("nan"))
