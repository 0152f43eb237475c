"""Import a model's raw files as a checkpoint: a classifier of texts or of their tokens, or an encoder, in safetensors,
with a fast tokenizer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

from runner.architectures import ARCHITECTURES
from runner.errors import UserError, did_you_mean
from runner.signatures import BASE, OF_TEXTS, check_architecture, check_inputs_of
from runner.tasks import read_kind, read_labels
from runner.tasks.kinds import CLASSIFIED, EMBEDDING, TOKENS
from runner.techniques import Step, StepInputs, step
from runner.techniques.pairs import note_token_types
from runner.techniques.shape import Shape

_VOCABULARIES = ("vocab*", "*.model")  # of tokenizers that have no tokenizer.json
_POOLINGS = ("mean", "first")  # heads that are none
_HEADS = ("load", "new", *_POOLINGS)


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
    uses = ("pairs.py", "../signatures.py")
    reads_texts = True  # for the labels

    head: str = "load"
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.head, str) and self.head not in _HEADS:
            raise UserError(f"step 'import-checkpoint': head is '{self.head}'. {did_you_mean(self.head, _HEADS)}")

    @property
    def kinds(self) -> tuple[str, ...]:
        """Without a head there are vectors, with one there are labels; a new one must be trained, which is of texts."""
        return {"load": (*CLASSIFIED, TOKENS), "new": CLASSIFIED}.get(self.head, (EMBEDDING,))

    def fits(self, shape: Shape) -> Shape:
        """The same shape, if transformers has such a model and texts alone give all its inputs."""
        if shape.model_type is not None and shape.model_type not in ARCHITECTURES:
            check_architecture(shape.model_type, BASE if self.head in _POOLINGS else OF_TEXTS, "model: config.json")
        return shape

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Write config.json, model.safetensors and tokenizer.json.

        Raises:
            UserError: if the files are no model that transformers knows, or its head does not fit the task's labels.
        """
        from runner.engines.checkpoint import save_checkpoint

        assert inputs.source is not None
        import_tokenizer(inputs.source, target)
        labels = read_labels(inputs.texts)
        model = _load_model(inputs.source, labels, self.head, self.seed, read_kind(inputs.texts) == TOKENS)
        notes = {"head": self.head, "labels": set_labels(model, labels) if self.head == "load" else labels}
        note_token_types(model.config, target / "tokenizer.json", inputs.texts)
        save_checkpoint(model, target, tokenizer_from=target)
        return notes


def import_tokenizer(source: Path, target: Path) -> None:
    """Write tokenizer.json: converted if only slow files are there, and without padding or truncation of its own.

    Raises:
        UserError: if there is no tokenizer in `source`.
    """
    from tokenizers import Tokenizer

    if (source / "tokenizer.json").is_file():
        tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    else:
        tokenizer = _converted(source)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.save(str(target / "tokenizer.json"))


def set_labels(model: Any, labels: list[str]) -> list[str]:
    """Put a loaded head's outputs into the order of the task's labels, matched by name; return the names.

    Generic names (LABEL_0 …) are taken to be in the task's order already, and a task without labels fits any head.

    Raises:
        UserError: if the names do not match.
    """
    own = [str(model.config.id2label[index]) for index in range(model.config.num_labels)]
    if not labels:
        return own
    lower = [name.lower() for name in own]
    if lower == [f"label_{index}" for index in range(len(labels))]:
        order = list(range(len(labels)))
    elif sorted(lower) == sorted(name.lower() for name in labels):
        order = [lower.index(name.lower()) for name in labels]
    else:
        raise UserError(
            f"model.path: the model's labels are {', '.join(own)}, but the task's are {', '.join(labels)}. Rename "
            f"them in id2label of its config.json, take another task, or train a new head: model.steps="
            f"[{{step: import-checkpoint, head: new}}, {{step: fine-tune}}]."
        )
    _reorder(model, order)
    model.config.id2label = dict(enumerate(labels))
    model.config.label2id = {name: index for index, name in enumerate(labels)}
    return labels


def _load_model(source: Path, labels: list[str], head: str, seed: int, of_tokens: bool) -> Any:
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModel, AutoModelForSequenceClassification, AutoModelForTokenClassification
    from transformers.utils import logging

    from runner.engines.checkpoint import Embedder, without_pooler

    config = _load_config(source)
    more: dict[str, Any] = {}
    if head == "load":
        _check_head(config, of_tokens)
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
    logging.set_verbosity_error()  # what is missing is judged here
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
            ignore_mismatched_sizes=head == "new",
            **more,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise UserError(f"model: cannot load the weights: {_first_line(error)}") from None
    check_inputs_of(type(model).__name__, signature(model.forward).parameters, "model: config.json")
    unfit = set(report["missing_keys"]) | {name for name, *_ in report["mismatched_keys"]}
    _check_unfit(unfit, head, model.base_model_prefix)
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


def _check_head(config: Any, of_tokens: bool) -> None:
    """Check that a head is for what the task judges: its tensors alone may look alike."""
    from runner.engines.checkpoint import OF_TOKENS, tells_tokens

    if config.architectures and tells_tokens(config) != of_tokens:
        other = f"no …{OF_TOKENS}, which a task of kind {TOKENS} needs" if of_tokens else "for a task of kind tokens"
        raise UserError(f"model: the files are of a {config.architectures[0]}: {other}. Take another model, or task.")


def _check_unfit(unfit: set[str], head: str, prefix: str) -> None:
    """Check that no tensor is missing or of another size, or only the head's when a new one was asked for."""
    if head in _POOLINGS:  # the encoder itself, whose names have no prefix
        of_head = {name for name in unfit if name.startswith("pooler.")}
    else:
        of_head = {name for name in unfit if not name.startswith(f"{prefix}.") or name.startswith(f"{prefix}.pooler.")}
    others = unfit - of_head
    if others:
        raise UserError(
            f"model: the weights do not fit config.json: {len(others)} tensors are missing or of another size, such "
            f"as {min(others)}. Take files that belong together."
        )
    if of_head and head == "load":
        raise UserError(
            "model: the files hold no classification head. Train one: model.steps="
            "[{step: import-checkpoint, head: new}, {step: fine-tune}]."
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


def _converted(source: Path) -> Any:
    from transformers import AutoTokenizer

    if not any(path for pattern in _VOCABULARIES for path in source.glob(pattern)):
        raise UserError("model: there is no tokenizer.json and no vocabulary. Add the tokenizer's files to the folder.")
    try:
        return AutoTokenizer.from_pretrained(source, local_files_only=True, trust_remote_code=False).backend_tokenizer
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(
            f"model: there is no tokenizer.json, and transformers cannot make one from the other files "
            f"({_first_line(error)}). Add tokenizer.json to the folder."
        ) from None


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
