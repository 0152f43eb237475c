"""Read a model's shape, as far as it is known before any artifact is made.

The shape is read from config.json or from `shape` in the model's YAML, without torch or transformers. Steps check it
when a job is composed, and again in their box, where they have the checkpoint.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runner.errors import UserError
from runner.models.architectures import ARCHITECTURES, REFUSED_BY_STEP, Architecture, longest_text, why_refused
from runner.models.flops import tensor_shapes
from runner.techniques.importing.sentence_vectors import sentence_length

_KEYS = {  # the names in config.json; DistilBERT, GPT-2, Funnel and XLM use the later ones
    "layers": ("num_hidden_layers", "n_layers", "n_layer"),
    "heads": ("num_attention_heads", "n_heads", "n_head"),
    "hidden": ("hidden_size", "dim", "n_embd", "d_model", "emb_dim"),
    "neurons": ("intermediate_size", "hidden_dim", "n_inner"),
    "vocabulary": ("vocab_size", "n_words"),
    "positions": ("max_position_embeddings", "n_positions"),
}

_ANY_LENGTH = 10**9  # transformers writes 10**30 for a tokenizer without a limit


@dataclass(frozen=True)
class Shape:
    """The sizes of an encoder. A size that is not known is None.

    Attributes:
        model_type: the architecture, as config.json names it.
        layers: the number of layers.
        heads: the number of heads of every layer that has its own weights, lowest layer first.
        head_size: the width of a head's queries.
        hidden: the width of the hidden states.
        neurons: the number of neurons in each layer's feed-forward network.
        vocabulary: the number of rows of the token embeddings.
        tokens: the largest number of tokens in a text, special ones included. The model's positions and its tokenizer's
            model_max_length limit it.
        tokenizer: the tokenizer's kind: WordPiece, BPE, Unigram …
        sentence_tokens: the number of tokens to which sentence-transformers cuts a text, if the model has its files.
    """

    model_type: str | None = None
    layers: int | None = None
    heads: tuple[int, ...] | None = None
    head_size: int | None = None
    hidden: int | None = None
    neurons: int | None = None
    vocabulary: int | None = None
    tokens: int | None = None
    tokenizer: str | None = None
    sentence_tokens: int | None = None


def shape_of_config(config: Mapping[str, Any], where: str) -> Shape:
    """Return the shape that a config of transformers describes.

    Args:
        config: the content of config.json, or a part of it.
        where: the config's name in errors.

    Raises:
        UserError: if a size is not a whole number above 0, if the heads do not share the hidden width evenly, or if
            Pinbox refuses the architecture.
    """
    model_type = config.get("model_type")
    if reason := why_refused(config):
        raise UserError(f"{where}: a model of the architecture '{model_type}' is refused here: {reason}. Take another.")
    architecture = ARCHITECTURES.get(str(model_type))
    sizes = dict(architecture.sizes if architecture else {}) | _sizes(config, where)
    layers, heads, hidden, positions = (sizes.get(key) for key in ("layers", "heads", "hidden", "positions"))
    head_size = config.get("head_dim") or config.get("d_head")  # set where heads need not share the hidden width
    if hidden and heads and hidden % heads and not head_size:
        raise UserError(f"{where}: hidden_size {hidden} is not a multiple of num_attention_heads {heads}.")
    distinct_layers = _count_distinct_layers(config, architecture, layers)
    return Shape(
        model_type=model_type,
        layers=layers,
        heads=(heads,) * distinct_layers if distinct_layers and heads else None,
        head_size=head_size or (hidden // heads if hidden and heads else None),
        hidden=hidden,
        neurons=sizes.get("neurons"),
        vocabulary=sizes.get("vocabulary"),
        tokens=longest_text(config, positions),
    )


def shape_of_files(folder: Path) -> Shape:
    """Return the shape of the model in a folder. A size that no file names is None.

    Args:
        folder: may hold config.json, tokenizer.json and tokenizer_config.json.

    Raises:
        UserError: if a file cannot be read, or for the reasons that `shape_of_config` names.
    """
    config, tokenizer = folder / "config.json", folder / "tokenizer.json"
    shape = shape_of_config(_read(config), "config.json") if config.is_file() else Shape()
    shape = replace(shape, sentence_tokens=sentence_length(folder))
    settings = folder / "tokenizer_config.json"
    max_length = _read(settings).get("model_max_length") if settings.is_file() else None
    if isinstance(max_length, int | float) and 1 <= max_length < (shape.tokens or _ANY_LENGTH):
        shape = replace(shape, tokens=int(max_length))
    if not tokenizer.is_file():
        return shape
    return replace(shape, tokenizer=(_read(tokenizer).get("model") or {}).get("type"))


def shape_of_checkpoint(folder: Path) -> Shape:
    """Return the shape of a checkpoint that a step made, with the heads and neurons that pruning left.

    config.json has one size for all layers, so each layer's size is read from the weights.
    """
    shape = shape_of_files(folder)
    architecture = ARCHITECTURES.get(str(shape.model_type))
    if architecture is None:
        return shape
    tensors = tensor_shapes(folder / "model.safetensors")
    queries = _outputs(tensors, architecture, architecture.projections[0])
    neurons = {rows // architecture.gates for rows in _outputs(tensors, architecture, architecture.into)}
    heads = tuple(rows // architecture.shares // shape.head_size for rows in queries) if shape.head_size else None
    return replace(
        shape,
        heads=heads or shape.heads,
        neurons=(neurons.pop() if len(neurons) == 1 else None) if neurons else shape.neurons,
    )


def check_not_refused(shape: Shape, step: str) -> None:
    """Check that a step is not known to fail on the model's architecture.

    Raises:
        UserError: if it is. The message names the step and the reason.
    """
    reason = REFUSED_BY_STEP.get(step, {}).get(str(shape.model_type))
    if reason is not None:
        raise UserError(
            f"step '{step}' cannot transform a model of the architecture '{shape.model_type}': {reason}. Take another "
            "technique, or exclude this combination in the grid."
        )


def check_layers(shape: Shape, step: str) -> None:
    """Check that Pinbox knows where the model keeps its layers.

    Raises:
        UserError: if it does not know the architecture. The message names the step.
    """
    if shape.model_type is not None:
        known_architecture(shape.model_type, step, "layers")


def check_attention(shape: Shape, step: str) -> None:
    """Check that heads can be removed from the attention.

    Raises:
        UserError: if they cannot, or if the architecture is not known. The message names the step.
    """
    if shape.model_type is None:
        return
    reason = known_architecture(shape.model_type, step, "attention").heads_stay
    if reason is not None:
        raise UserError(
            f"step '{step}' cannot remove heads of {shape.model_type}: {reason}. Remove neurons (ffn-pruning) or "
            "layers (layer-pruning) instead, or exclude this combination in the grid."
        )


def check_first_token(shape: Shape, step: str) -> None:
    """Check that the last layer can be computed for the first token alone.

    Raises:
        UserError: if the attention is not BERT's, or if the architecture is not known. The message names the step.
    """
    if shape.model_type is None:
        return
    if not known_architecture(shape.model_type, step, "attention").attends_as_bert:
        known = ", ".join(sorted(name for name, entry in ARCHITECTURES.items() if entry.attends_as_bert))
        raise UserError(
            f"step '{step}': first_token is true, but the model_type is {shape.model_type}. Only the attention of "
            f"{known} can be computed for the first token alone. Leave first_token out, or exclude this combination "
            "in the grid."
        )


def known_architecture(model_type: str, step: str, part: str) -> Architecture:
    """Return the entry that says where an architecture keeps its parts.

    Args:
        model_type: the architecture, as config.json names it.
        step: the step's name, for the error.
        part: the part that the step changes, for the error.

    Raises:
        UserError: if the architecture is not known.
    """
    if model_type not in ARCHITECTURES:
        known = ", ".join(sorted(ARCHITECTURES))
        raise UserError(
            f"step '{step}' knows the {part} of {known}, but the model_type is {model_type}. "
            "Take a technique that leaves the model's parts whole, such as onnx-int8, or exclude this combination in "
            "the grid."
        )
    return ARCHITECTURES[model_type]


def remaining(count: int, fraction: float) -> int:
    """Return how many heads or neurons stay when a fraction of them is removed: at least one."""
    return max(1, count - round(fraction * count))


def check_removes(step: str, key: str, fraction: float, count: int, what: str) -> None:
    """Check that a fraction is large enough to remove at least one head or neuron.

    Args:
        step: the step's name, for the error.
        key: the step's key that sets the fraction, for the error.
        fraction: the fraction to remove.
        count: the number of heads or neurons, in a layer or in all layers.
        what: the noun that is counted, in the plural.

    Raises:
        UserError: if nothing would be removed.
    """
    if remaining(count, fraction) < count:
        return
    allowed = f"Take more than {0.5 / count:.2g}" if count > 1 else "The last one always stays: leave the step out"
    raise UserError(f"step '{step}': {key} is {fraction}, which removes none of the model's {count} {what}. {allowed}.")


def check_tokens(shape: Shape, step: str, max_length: int) -> None:
    """Check that the model takes texts of this many tokens.

    Raises:
        UserError: if it takes fewer.
    """
    if shape.tokens is not None and max_length > shape.tokens:
        raise UserError(
            f"step '{step}': max_length is {max_length}, but the model takes at most {shape.tokens} tokens."
        )


def _count_distinct_layers(
    config: Mapping[str, Any], architecture: Architecture | None, layers: int | None
) -> int | None:
    """Return how many layers have their own weights, which no other layer shares."""
    if architecture is None or not architecture.one_layer_repeated:
        return layers
    return int(config.get("num_hidden_groups") or 1) * int(config.get("inner_group_num") or 1)


def _outputs(tensors: Mapping[str, list[int]], architecture: Architecture, module: str) -> list[int]:
    """Return the number of outputs that a module has in each layer, lowest layer first."""
    pattern = architecture.weight_of(module)
    layers = [(match[1], dims[0]) for name, dims in tensors.items() if (match := pattern.search(name))]
    return [rows for _, rows in sorted(layers, key=lambda layer: [int(part) for part in re.findall(r"\d+", layer[0])])]


def _sizes(config: Mapping[str, Any], where: str) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for name, keys in _KEYS.items():
        for key in keys:
            value = config.get(key)
            if value is None:
                continue
            if type(value) is not int or value < 1:
                raise UserError(f"{where}: {key} is {value!r}, but must be a whole number above 0.")
            sizes.setdefault(name, value)
    return sizes


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"model: {path.name} cannot be read ({error}). Take another copy of it.") from None
    if not isinstance(content, dict):
        raise UserError(f"model: {path.name} does not hold a JSON object. Take another copy of it.")
    return content
