"""Import a model's raw files as a checkpoint in safetensors with a fast tokenizer.

The model is a classifier of texts, a classifier of tokens, or an encoder.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from inspect import signature
from pathlib import Path
from typing import Any

from runner.config.task_kinds import CLASSIFIED, RERANK, RETRIEVAL, TOKENS, VECTORS
from runner.errors import UserError, did_you_mean, first_line
from runner.models.architectures import ARCHITECTURES
from runner.models.signatures import BASE, OF_TEXTS, check_architecture, check_inputs_of
from runner.tasks.texts import read_kind, read_labels, read_stated
from runner.techniques.importing.heads import check_head, read_config, tensors_of
from runner.techniques.importing.labels import LabelMatch, match_labels
from runner.techniques.importing.model_folder import check_folder, remark_on
from runner.techniques.importing.model_tokenizer import check_tokenizer_files, import_tokenizer
from runner.techniques.importing.sentence_vectors import check_vectors, prompts_of
from runner.techniques.importing.weights import check_finite, check_tensors
from runner.techniques.shape import Shape
from runner.techniques.step import Step, StepInputs, step

_POOLINGS = ("mean", "first")  # these pool the tokens' vectors instead of classifying
_HEADS = ("load", "new", *_POOLINGS)


@dataclass(frozen=True)
class _Fit:
    """What is known from a model's files before the model is loaded.

    Attributes:
        match: the match of the task's labels with the outputs of the loaded head; None if no head is loaded.
        normalized: whether vectors are divided by their length.
        unused: the files in the folder that nothing uses although they may matter.
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
            then be trained (`fine-tune`). A task of vectors needs no head: a text's vector is the "mean" of its tokens'
            last hidden states, or the "first" token's.
        seed: the seed of a new head's weights.
    """

    takes = "files"
    gives = "checkpoint"
    other_kinds = "Take another head: load or new for labels, mean or first for vectors."
    reads_texts = True  # it reads the labels, and compares tokens on the texts

    head: str = "load"
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.head, str) and self.head not in _HEADS:
            raise UserError(f"step 'import-checkpoint': head is '{self.head}'. {did_you_mean(self.head, _HEADS)}")

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of task: labels for a head, vectors without one. A new head can only be trained on whole texts."""
        return {"load": (*CLASSIFIED, TOKENS, RERANK), "new": CLASSIFIED}.get(self.head, VECTORS)

    def check_files(self, files: Path, texts: Path, where: str) -> list[str]:
        """Check the head, labels, pooling and other files in the folder against the task, without loading the model."""
        fit = self._fit(files, texts, where)
        check_tokenizer_files(files)
        return [*(fit.match.remarks() if fit.match else []), *remark_on(fit.unused)]

    def infer_shape(self, shape: Shape) -> Shape:
        """Check that transformers has such a model, and that a text gives the model all its inputs.

        If the folder is one of sentence-transformers, texts are cut to the same length as there.
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
        if not any(files.glob("*.safetensors")):
            raise UserError(
                f"{where}: there are no weights in safetensors. For a graph in ONNX: {{step: import-onnx}}."
            )
        names = check_head(config, tensors_of(files), read_kind(texts), where)
        return _Fit(match_labels(read_labels(texts), names, read_stated(texts), where), False, unused)

    @property
    def keeps_predictions(self) -> bool:
        """Whether the predictions stay those of the files: they do unless the head is new."""
        return self.head != "new"

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Write config.json, model.safetensors and tokenizer.json.

        Raises:
            UserError: if transformers cannot load the files, or if the head does not fit the task's labels.
        """
        from runner.engines.checkpoint import PROMPTS, save_checkpoint

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
        if read_kind(inputs.texts) == RETRIEVAL and any(prompts := prompts_of(inputs.source)):
            setattr(model.config, PROMPTS, list(prompts))
            notes["prompts"] = list(prompts)
        if fit.unused:
            notes["unused_files"] = fit.unused
        import_tokenizer(inputs.source, target, inputs.texts, model.config)
        save_checkpoint(model, target, tokenizer_from=target)
        return notes


def set_labels(model: Any, match: LabelMatch) -> None:
    """Put a loaded head's outputs into the order of the task's labels and name them. Other outputs come last."""
    _reorder(model, match.order)
    names = match.all_names
    model.config.id2label = dict(enumerate(names))
    model.config.label2id = {name: index for index, name in enumerate(names)}


def _load_model(source: Path, labels: list[str], head: str, seed: int, of_tokens: bool) -> Any:
    import torch
    from transformers.utils import logging

    from runner.engines.checkpoint import Embedder, without_pooler
    from runner.engines.lean_transformers import transformers

    config = load_config(source)
    if head == "load":
        _check_classes(config.architectures or [])
    more: dict[str, Any] = {}
    classifier = (
        transformers.AutoModelForTokenClassification if of_tokens else transformers.AutoModelForSequenceClassification
    )
    if head in _POOLINGS:
        config.vector_pooling = head
        more = without_pooler(transformers.AutoModel._model_mapping[type(config)])
    if head == "new":
        if not labels:
            raise UserError(
                "step 'import-checkpoint': head is new, but the task has no labels to train it on. Take a task that "
                "has labels, or model.weights=random."
            )
        config.id2label = dict(enumerate(labels))
        config.label2id = {name: index for index, name in enumerate(labels)}
        config.problem_type = None  # it belonged to the old head
    logging.set_verbosity_error()  # `check_tensors` reports what is missing
    logging.disable_progress_bar()
    torch.manual_seed(seed)
    try:
        model, report = (transformers.AutoModel if head in _POOLINGS else classifier).from_pretrained(
            source,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # `check_tensors` reports what does not fit
            **more,
        )
    except Exception as error:  # any error of transformers means that the files are at fault
        raise UserError(f"model: cannot load the weights: {type(error).__name__}: {first_line(error)}.") from None
    check_inputs_of(type(model).__name__, signature(model.forward).parameters, "model: config.json")
    check_tensors(report, model.state_dict(), head, "" if head in _POOLINGS else f"{model.base_model_prefix}.")
    if head == "new":
        _renew_head(model)
    check_finite(model.named_parameters(), "model")
    return Embedder(model) if head in _POOLINGS else model


def _renew_head(model: Any) -> None:
    """Draw new weights for the head, since the files may hold a head of the same size."""
    encoder = model.base_model
    for module in model.children():
        if module is encoder:
            continue
        for part in module.modules():
            for weights in part.parameters(recurse=False):
                weights._is_hf_initialized = False
            model._init_weights(part)


def load_config(source: Path) -> Any:
    """Return the model's config as transformers reads it.

    Raises:
        UserError: if it cannot be read, or names the model's own code.
    """
    from runner.engines.lean_transformers import transformers

    if "auto_map" in json.loads((source / "config.json").read_text(encoding="utf-8")):
        raise UserError(
            "model: config.json names the model's own code (auto_map), which Pinbox never runs. Take a model whose "
            "architecture is part of transformers."
        )
    try:
        config = transformers.AutoConfig.from_pretrained(source, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"model: transformers cannot read its config.json: {first_line(error)}.") from None
    if config.model_type == "big_bird":
        config.attention_type = "original_full"  # as BigBird attends to texts no longer than `longest_text`
    return config


def _check_classes(names: list[str]) -> None:
    """Check that transformers has the class that config.json names, since another may compute something else."""
    from runner.engines.lean_transformers import transformers

    unknown = [name for name in names if not hasattr(transformers, name)]
    if unknown:
        raise UserError(
            f"model: config.json: architectures names {unknown[0]}, which transformers does not have: it is the "
            "model's own code, which Pinbox never runs. Take a model whose architecture is part of transformers."
        )


def _reorder(model: Any, order: list[int]) -> None:
    """Put the outputs of the head into another order by reordering the rows of its last linear layer.

    Raises:
        UserError: if the logits are not in the new order afterwards.
    """
    import torch

    if order == sorted(order):
        return
    before = _some_logits(model)
    of_encoder = {id(module) for module in model.base_model.modules()}
    last = [
        module
        for module in model.modules()
        if isinstance(module, torch.nn.Linear) and module.out_features == len(order) and id(module) not in of_encoder
    ][-1:]
    for layer in last:
        layer.weight.data = layer.weight.data[order]
        if layer.bias is not None:
            layer.bias.data = layer.bias.data[order]
    if not last or not torch.allclose(_some_logits(model), before[..., order], atol=1e-4):
        raise UserError(
            f"model: the outputs of a {type(model).__name__} cannot be put into the order of the task's labels. Rename "
            "the labels so that sorting them gives the order of id2label in config.json, or take another model."
        )


def _some_logits(model: Any) -> Any:
    """Return the model's logits for an arbitrary text."""
    import torch

    ids = torch.arange(5, 13)[None] % model.config.vocab_size
    with torch.inference_mode():
        return model.eval()(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
