"""Import a model's raw files as a checkpoint: a classifier of texts or of their tokens, or an encoder, in safetensors,
with a fast tokenizer."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from inspect import signature
from pathlib import Path
from typing import Any

from runner.config.task_kinds import CLASSIFIED, EMBEDDING, TOKENS
from runner.errors import UserError, did_you_mean
from runner.models.architectures import ARCHITECTURES
from runner.models.signatures import BASE, OF_TEXTS, check_architecture, check_inputs_of
from runner.tasks.texts import read_kind, read_labels, read_stated
from runner.techniques.importing.heads import check_head, read_config, tensors_of
from runner.techniques.importing.labels import LabelMatch, match_labels
from runner.techniques.importing.model_folder import check_folder, remark_on
from runner.techniques.importing.model_tokenizer import check_tokenizer_files, import_tokenizer
from runner.techniques.importing.sentence_vectors import check_vectors
from runner.techniques.importing.weights import check_tensors
from runner.techniques.shape import Shape
from runner.techniques.step import Step, StepInputs, step

_POOLINGS = ("mean", "first")  # heads that are none
_HEADS = ("load", "new", *_POOLINGS)


@dataclass(frozen=True)
class _Fit:
    """What a model's files say of themselves before they are loaded.

    Attributes:
        match: the task's labels and the outputs of the head that is loaded; None if none is.
        normalized: whether vectors are divided by their length.
        unused: files of the folder that nothing uses, and that may matter.
    """

    match: LabelMatch | None
    normalized: bool
    unused: list[str]


@step("import-checkpoint")
@dataclass
class ImportCheckpoint(Step):
    """files → checkpoint.

    Attributes:
        head: "load" the classification head from the files, or make a "new" one with the task's labels, which must
            then be trained (`fine-tune`). For a task of kind embedding, none: a text's vector is the "mean" of its
            tokens' last hidden states, or the "first" one's.
        seed: of a new head's weights.
    """

    takes = "files"
    gives = "checkpoint"
    other_kinds = "Take another head: load or new for labels, mean or first for vectors."
    reads_texts = True  # for the labels, and to compare tokens

    head: str = "load"
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.head, str) and self.head not in _HEADS:
            raise UserError(f"step 'import-checkpoint': head is '{self.head}'. {did_you_mean(self.head, _HEADS)}")

    @property
    def kinds(self) -> tuple[str, ...]:
        """Without a head there are vectors, with one there are labels; a new one must be trained, which is of texts."""
        return {"load": (*CLASSIFIED, TOKENS), "new": CLASSIFIED}.get(self.head, (EMBEDDING,))

    def check_files(self, files: Path, texts: Path, where: str) -> list[str]:
        """Check head, labels, pooling and what else lies in the folder against the task, without loading anything."""
        fit = self._fit(files, texts, where)
        check_tokenizer_files(files)
        return [*(fit.match.remarks() if fit.match else []), *remark_on(fit.unused)]

    def infer_shape(self, shape: Shape) -> Shape:
        """Check that transformers has such a model and that texts give it all its inputs.

        Texts are cut where sentence-transformers cuts them, if its folder says how vectors are made.
        """
        if shape.model_type is not None and shape.model_type not in ARCHITECTURES:
            check_architecture(shape.model_type, BASE if self.head in _POOLINGS else OF_TEXTS, "model: config.json")
        if self.head not in _POOLINGS or shape.sentence_tokens is None:
            return shape
        return replace(shape, tokens=min(shape.tokens or shape.sentence_tokens, shape.sentence_tokens))

    def _fit(self, files: Path, texts: Path, where: str) -> _Fit:
        config = read_config(files, where)
        unused = check_folder(files, config, self.head in _POOLINGS, where)
        if self.head in _POOLINGS:
            return _Fit(None, check_vectors(files, self.head, where), unused)
        if self.head == "new":
            return _Fit(None, False, unused)
        names = check_head(config, tensors_of(files), read_kind(texts), where)
        return _Fit(match_labels(read_labels(texts), names, read_stated(texts), where), False, unused)

    @property
    def keeps_predictions(self) -> bool:
        """Only a new head predicts otherwise than the files."""
        return self.head != "new"

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Write config.json, model.safetensors and tokenizer.json.

        Raises:
            UserError: if the files are no model that transformers knows, or its head does not fit the task's labels.
        """
        from runner.engines.checkpoint import save_checkpoint

        assert inputs.source is not None
        fit = self._fit(inputs.source, inputs.texts, "model")
        labels = read_labels(inputs.texts)
        model = _load_model(inputs.source, labels, self.head, self.seed, read_kind(inputs.texts) == TOKENS)
        notes: dict[str, Any] = {"head": self.head, "labels": fit.match.all_names if fit.match else labels}
        if fit.match:
            set_labels(model, fit.match)
            notes["label_outputs"] = fit.match.notes()
        if fit.normalized:
            model.config.vector_normalized = True
        if fit.unused:
            notes["unused_files"] = fit.unused
        import_tokenizer(inputs.source, target, inputs.texts, model.config)
        save_checkpoint(model, target, tokenizer_from=target)
        return notes


def set_labels(model: Any, match: LabelMatch) -> None:
    """Put a loaded head's outputs into the order of the task's labels, those that it lacks last, and name them so."""
    _reorder(model, match.order)
    names = match.all_names
    model.config.id2label = dict(enumerate(names))
    model.config.label2id = {name: index for index, name in enumerate(names)}


def _load_model(source: Path, labels: list[str], head: str, seed: int, of_tokens: bool) -> Any:
    import torch
    from transformers import AutoModel, AutoModelForSequenceClassification, AutoModelForTokenClassification
    from transformers.utils import logging

    from runner.engines.checkpoint import Embedder, without_pooler

    config = _load_config(source)
    if head == "load":
        _check_classes(config.architectures or [])
    more: dict[str, Any] = {}
    classifier = AutoModelForTokenClassification if of_tokens else AutoModelForSequenceClassification
    if head in _POOLINGS:
        config.vector_pooling = head
        more = without_pooler(AutoModel._model_mapping[type(config)])
    if head == "new":
        if not labels:
            raise UserError(
                "step 'import-checkpoint': head is new, but the task has no labels to train it on. Take a task that "
                "has labels, or model.weights=random."
            )
        config.id2label = dict(enumerate(labels))
        config.label2id = {name: index for index, name in enumerate(labels)}
        config.problem_type = None  # of the head that was
    logging.set_verbosity_error()  # what is missing is evaluated here
    logging.disable_progress_bar()
    torch.manual_seed(seed)
    try:
        model, report = (AutoModel if head in _POOLINGS else classifier).from_pretrained(
            source,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # what does not fit is evaluated here
            **more,
        )
    except Exception as error:  # whatever transformers stumbles over, the files are at fault
        raise UserError(f"model: cannot load the weights: {type(error).__name__}: {_first_line(error)}") from None
    check_inputs_of(type(model).__name__, signature(model.forward).parameters, "model: config.json")
    check_tensors(report, model.state_dict(), head, "" if head in _POOLINGS else f"{model.base_model_prefix}.")
    return Embedder(model) if head in _POOLINGS else model


def _load_config(source: Path) -> Any:
    from transformers import AutoConfig

    if "auto_map" in json.loads((source / "config.json").read_text(encoding="utf-8")):
        raise UserError(
            "model: config.json names code of its own (auto_map), which is never run here. Take a model whose "
            "architecture transformers itself has."
        )
    try:
        config = AutoConfig.from_pretrained(source, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"model: transformers cannot read its config.json: {_first_line(error)}") from None
    if config.model_type == "big_bird":
        config.attention_type = "original_full"  # as of any text that is no longer than `longest_text` says
    return config


def _check_classes(names: list[str]) -> None:
    """Check that transformers has the class that the files are of: another may compute something else."""
    import transformers

    unknown = [name for name in names if not hasattr(transformers, name)]
    if unknown:
        raise UserError(
            f"model: config.json: architectures names {unknown[0]}, which transformers does not have: it is code of "
            "the model's own, which is never run here. Take a model whose architecture transformers itself has."
        )


def _reorder(model: Any, order: list[int]) -> None:
    """Put the outputs of the head into another order: the rows of its last linear layer, whatever it is called.

    Raises:
        UserError: if the logits do not follow.
    """
    import torch

    if order == sorted(order):
        return
    before = _some_logits(model)
    own = {id(module) for module in model.base_model.modules()}
    last = [
        module
        for module in model.modules()
        if isinstance(module, torch.nn.Linear) and module.out_features == len(order) and id(module) not in own
    ][-1:]
    for layer in last:
        layer.weight.data = layer.weight.data[order]
        if layer.bias is not None:
            layer.bias.data = layer.bias.data[order]
    if not last or not torch.allclose(_some_logits(model), before[..., order], atol=1e-4):
        raise UserError(
            f"model: the head of a {type(model).__name__} cannot be put into the order of the task's labels. Rename "
            "these such that sorting them gives the order of id2label in its config.json, or take another model."
        )


def _some_logits(model: Any) -> Any:
    """Return what a model says of a text that means nothing."""
    import torch

    ids = torch.arange(5, 13)[None] % model.config.vocab_size
    with torch.inference_mode():
        return model.eval()(input_ids=ids, attention_mask=torch.ones_like(ids)).logits


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
