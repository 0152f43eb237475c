"""Define the common part of `import-onnx` and `import-openvino`, which import a graph that another tool made.

The graph is checked against the task before anything runs, and config.json and the tokenizer are taken from its folder.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runner.config.task_kinds import CLASSIFIED, RERANK, RETRIEVAL, TOKENS, VECTORS
from runner.errors import UserError, did_you_mean, first_line
from runner.models.inputs import INPUTS
from runner.tasks.texts import read_kind, read_labels, read_stated
from runner.techniques.importing.heads import check_head, read_config
from runner.techniques.importing.labels import LabelMatch, match_labels
from runner.techniques.importing.model_tokenizer import check_tokenizer_files, import_tokenizer
from runner.techniques.importing.sentence_vectors import check_vectors, prompts_of
from runner.techniques.shape import Shape
from runner.techniques.step import Step, StepInputs

EXAMPLES = ((1, 5), (3, 7))  # shapes of calls, [texts, tokens]
_POOLINGS = ("mean", "first")  # these pool the tokens' vectors
_HEADS = ("load", *_POOLINGS)
_LOGITS = ("logits",)
_STATES = ("last_hidden_state", "token_embeddings")  # the names of optimum and of sentence-transformers


@dataclass(frozen=True)
class Signature:
    """The inputs and outputs that a graph's file names.

    Attributes:
        inputs: the names of the inputs.
        outputs: the names of the outputs.
    """

    inputs: Sequence[str]
    outputs: Sequence[str]


@dataclass(frozen=True)
class Fit:
    """How a graph fits the task.

    Attributes:
        match: the match of the task's labels with the graph's outputs; None for vectors.
        normalized: whether vectors are divided by their length.
    """

    match: LabelMatch | None
    normalized: bool

    @property
    def order(self) -> list[int] | None:
        """The places of the graph's outputs in the order of the task's labels; None if they stay where they are."""
        order = self.match.order if self.match else []
        return order if order != sorted(order) else None


@dataclass
class GraphImport(Step):
    """files → a graph as it is, with config.json and the tokenizer of its folder."""

    takes = "files"
    keeps_flops = False  # a graph may be quantized or fused, so its products are not counted
    reads_texts = True  # it reads the labels, and compares tokens on the texts
    keeps_predictions = True
    other_kinds = "Take another head: load for labels, mean or first for vectors."

    file: str = ""
    head: str = "load"

    def __post_init__(self) -> None:
        if isinstance(self.head, str) and self.head not in _HEADS:
            raise UserError(f"step '{self.name}': head is '{self.head}'. {did_you_mean(self.head, _HEADS)}")

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of task: labels or scores with the graph's own head, vectors with a pooling."""
        return VECTORS if self.pools else (*CLASSIFIED, TOKENS, RERANK)

    @property
    def pools(self) -> bool:
        """Whether the tokens' vectors are pooled."""
        return self.head in _POOLINGS

    @classmethod
    def gives_tokenizer(cls) -> bool:
        """Return True: the tokenizer is beside the graph."""
        return True

    def infer_shape(self, shape: Shape) -> Shape:
        """Cut texts to the same length as sentence-transformers does, if the folder names one."""
        if not self.pools or shape.sentence_tokens is None:
            return shape
        return replace(shape, tokens=min(shape.tokens or shape.sentence_tokens, shape.sentence_tokens))

    def check_files(self, files: Path, texts: Path, where: str) -> list[str]:
        """Check the graph, its inputs and outputs, and the labels, without running anything."""
        path = files / self.file
        if not path.is_file():
            raise UserError(f"{where}: there is no {self.file} in the model's folder. Name the graph's path in `file`.")
        signature = self.read_signature(path, where)
        check_tokenizer_files(files)
        self.check_inputs(signature, where)
        self.output_of(signature, where)
        fit = self.fit(files, texts, where)
        return fit.match.remarks() if fit.match else []

    @abstractmethod
    def read_signature(self, path: Path, where: str) -> Signature:
        """Check a graph's file without an engine, and return the names of its inputs and outputs.

        Raises:
            UserError: if the file is damaged or not allowed.
        """

    def check_inputs(self, signature: Signature, where: str) -> None:
        """Check that a text gives the graph all its inputs.

        Raises:
            UserError: if it does not.
        """
        if not set(INPUTS[:2]) <= set(signature.inputs) <= set(INPUTS):
            raise UserError(
                f"{where}: {self.file} takes the inputs {', '.join(signature.inputs) or 'none'}, but a text gives "
                f"{', '.join(INPUTS)}. Export it again with inputs of these names."
            )

    def output_of(self, signature: Signature, where: str) -> str:
        """Return the name of the output that holds the logits, or the tokens' vectors if they are pooled.

        Raises:
            UserError: if the graph has several outputs, and none has a name that says so.
        """
        known = _STATES if self.pools else _LOGITS
        found = [name for name in known if name in signature.outputs] or list(signature.outputs)
        if len(found) == 1 or found[0] in known:
            return found[0]
        what = "without a head, so that it gives the tokens' vectors" if self.pools else "as a classifier"
        raise UserError(
            f"{where}: {self.file} has the outputs {', '.join(signature.outputs)}, of which none is called "
            f"{' or '.join(known)}. Export it again {what}."
        )

    def fit(self, files: Path, texts: Path, where: str) -> Fit:
        """Return how the folder's config.json and modules.json fit the task.

        Raises:
            UserError: if they do not.
        """
        if self.pools:
            return Fit(None, check_vectors(files, self.head, where))
        names = check_head(read_config(files, where), {}, read_kind(texts), where)
        return Fit(match_labels(read_labels(texts), names, read_stated(texts), where), False)

    def write_rest(self, inputs: StepInputs, target: Path, fit: Fit, signature: Signature) -> dict[str, Any]:
        """Write config.json and tokenizer.json beside the graph, and return the notes for the lineage."""
        from runner.engines.checkpoint import NORMALIZED, POOLING, PROMPTS, TOKEN_TYPES
        from runner.techniques.importing.import_checkpoint import load_config

        assert inputs.source is not None
        config = load_config(inputs.source)
        notes: dict[str, Any] = {"head": self.head, "labels": fit.match.all_names if fit.match else []}
        if fit.match:
            config.id2label = dict(enumerate(fit.match.all_names))
            config.label2id = {name: place for place, name in enumerate(fit.match.all_names)}
            notes["label_outputs"] = fit.match.notes()
        if self.pools:
            setattr(config, POOLING, self.head)
            setattr(config, NORMALIZED, fit.normalized)
        if read_kind(inputs.texts) == RETRIEVAL and any(prompts := prompts_of(inputs.source)):
            setattr(config, PROMPTS, list(prompts))
            notes["prompts"] = list(prompts)
        import_tokenizer(inputs.source, target, inputs.texts, config)
        setattr(config, TOKEN_TYPES, INPUTS[2] in signature.inputs)
        config.save_pretrained(target)
        return notes

    def check_outputs(self, shapes: Sequence[Sequence[int]], kind: str, fit: Fit) -> None:
        """Check the shapes of the outputs of calls with the shapes `EXAMPLES`.

        Raises:
            UserError: if they are not [texts, outputs], or [texts, tokens, outputs] for a task of tokens.
        """
        for shape, (texts, tokens) in zip(shapes, EXAMPLES, strict=True):
            expected = [texts, tokens] if kind == TOKENS else [texts]
            if list(shape[:-1]) != expected:
                raise UserError(
                    f"model: {self.file} gives an output of shape {list(shape)} for {texts} texts of {tokens} tokens, "
                    f"but a task of kind {kind} needs {[*expected, 'outputs']}. Export it again for such a task."
                )
        if fit.match and shapes[-1][-1] != len(fit.match.names):
            raise UserError(
                f"model: {self.file} has {shapes[-1][-1]} outputs, but id2label in config.json names "
                f"{len(fit.match.names)}. Name all of them, in their order."
            )

    def cannot_run(self, error: Exception) -> UserError:
        """Return the error for a graph that the engine cannot load or run."""
        return UserError(
            f"model: {self.file} cannot be run on {EXAMPLES[-1][0]} texts of {EXAMPLES[-1][1]} tokens: "
            f"{first_line(error)}. Export it again with a free batch size and length."
        )
