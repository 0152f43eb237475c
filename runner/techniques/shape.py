"""The shape of a model, as far as it is known before anything is made.

It follows from config.json, or from `shape` in the model's YAML, without torch or transformers. Steps check it when a
job is composed, and again in their box, where the checkpoint itself is there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runner.errors import UserError
from runner.models.architectures import ARCHITECTURES, NOT_BY_STEP, Architecture, longest_text, why_refused
from runner.models.flops import tensor_shapes
from runner.techniques.importing.sentence_vectors import sentence_length

_KEYS = {  # names in config.json; the later ones are those of DistilBERT, GPT-2, Funnel and XLM
    "layers": ("num_hidden_layers", "n_layers", "n_layer"),
    "heads": ("num_attention_heads", "n_heads", "n_head"),
    "hidden": ("hidden_size", "dim", "n_embd", "d_model", "emb_dim"),
    "neurons": ("intermediate_size", "hidden_dim", "n_inner"),
    "vocabulary": ("vocab_size", "n_words"),
    "positions": ("max_position_embeddings", "n_positions"),
}

_ANY_LENGTH = 10**9  # transformers writes 10**30 where a tokenizer knows no limit


@dataclass(frozen=True)
class Shape:
    """Sizes of an encoder. None: not known.

    Attributes:
        model_type: the architecture, as config.json names it.
        layers: how many.
        heads: of every layer that has weights of its own, lowest first.
        head_size: width of a head's queries.
        hidden: width of the hidden states.
        neurons: of every layer's feed-forward network.
        vocabulary: rows of the token embeddings.
        tokens: how many a text may have, special ones included: by the model's positions, and by its tokenizer's
            model_max_length.
        tokenizer: its kind: WordPiece, BPE, Unigram …
        sentence_tokens: how many sentence-transformers cuts a text to, where its files are there.
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
        config: what config.json holds, or a part of it.
        where: names the config in errors.

    Raises:
        UserError: if a size is not a whole number above 0, the heads do not share the hidden width evenly, or such a
            model is refused.
    """
    model_type = config.get("model_type")
    if reason := why_refused(config):
        raise UserError(f"{where}: a model of the architecture '{model_type}' is refused here: {reason}. Take another.")
    architecture = ARCHITECTURES.get(str(model_type))
    sizes = dict(architecture.sizes if architecture else {}) | _sizes(config, where)
    layers, heads, hidden, positions = (sizes.get(key) for key in ("layers", "heads", "hidden", "positions"))
    head_size = config.get("head_dim") or config.get("d_head")  # where heads need not share the hidden width
    if hidden and heads and hidden % heads and not head_size:
        raise UserError(f"{where}: hidden_size {hidden} is not a multiple of num_attention_heads {heads}.")
    own = _layers_of_their_own(config, architecture, layers)
    return Shape(
        model_type=model_type,
        layers=layers,
        heads=(heads,) * own if own and heads else None,
        head_size=head_size or (hidden // heads if hidden and heads else None),
        hidden=hidden,
        neurons=sizes.get("neurons"),
        vocabulary=sizes.get("vocabulary"),
        tokens=longest_text(config, positions),
    )


def shape_of_files(folder: Path) -> Shape:
    """Return the shape of the model in a folder; what no file tells is None.

    Args:
        folder: may hold config.json, tokenizer.json and tokenizer_config.json.

    Raises:
        UserError: if a file is not what its name says; see `shape_of_config`.
    """
    config, tokenizer = folder / "config.json", folder / "tokenizer.json"
    shape = shape_of_config(_read(config), "config.json") if config.is_file() else Shape()
    shape = replace(shape, sentence_tokens=sentence_length(folder))
    own = _read(settings).get("model_max_length") if (settings := folder / "tokenizer_config.json").is_file() else None
    if isinstance(own, int | float) and 1 <= own < (shape.tokens or _ANY_LENGTH):
        shape = replace(shape, tokens=int(own))
    if not tokenizer.is_file():
        return shape
    return replace(shape, tokenizer=(_read(tokenizer).get("model") or {}).get("type"))


def shape_of_checkpoint(folder: Path) -> Shape:
    """Return the shape of a checkpoint that a step made: heads and neurons as pruning left them.

    config.json has one size for all layers; the weights have each layer's.
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
    """Check that a step can do with the architecture.

    Raises:
        UserError: if it is known that it cannot; it names the step, and says why.
    """
    reason = NOT_BY_STEP.get(step, {}).get(str(shape.model_type))
    if reason is not None:
        raise UserError(
            f"step '{step}' cannot do with a model of the architecture '{shape.model_type}': {reason}. Take another "
            "technique, or exclude the two from meeting in the grid."
        )


def check_layers(shape: Shape, step: str) -> None:
    """Check that the layers can be cut down.

    Raises:
        UserError: if the architecture is not known; it names the step.
    """
    if shape.model_type is not None:
        known_architecture(shape.model_type, step, "layers")


def check_attention(shape: Shape, step: str) -> None:
    """Check that heads can be cut out of the attention.

    Raises:
        UserError: if not, or if the architecture is not known; it names the step.
    """
    if shape.model_type is None:
        return
    reason = known_architecture(shape.model_type, step, "attention").heads_stay
    if reason is not None:
        raise UserError(
            f"step '{step}' cannot remove heads of {shape.model_type}: {reason}. Remove neurons (ffn-pruning) or "
            "layers (layer-pruning) instead, or exclude the two from meeting in the grid."
        )


def check_first_token(shape: Shape, step: str) -> None:
    """Check that the last layer can be computed for the first token alone.

    Raises:
        UserError: if attention is not BERT's, or the architecture is not known; it names the step.
    """
    if shape.model_type is None:
        return
    if not known_architecture(shape.model_type, step, "attention").attends_as_bert:
        known = ", ".join(sorted(name for name, one in ARCHITECTURES.items() if one.attends_as_bert))
        raise UserError(
            f"step '{step}': first_token is true, but the model_type is {shape.model_type}, and only the attention of "
            f"{known} is known to do without the other tokens. Leave first_token out, or exclude the two from meeting "
            "in the grid."
        )


def known_architecture(model_type: str, step: str, part: str) -> Architecture:
    """Return where an architecture keeps its parts.

    Args:
        model_type: of its config.
        step: named in the error, as is `part`.
        part: what of it the step changes.

    Raises:
        UserError: if that is not known.
    """
    if model_type not in ARCHITECTURES:
        known = ", ".join(sorted(ARCHITECTURES))
        raise UserError(
            f"step '{step}' knows the {part} of {known}, but the model_type is {model_type}. "
            "Take a technique that leaves the model's parts whole, such as onnx-int8, or exclude the two from meeting "
            "in the grid."
        )
    return ARCHITECTURES[model_type]


def remaining(count: int, fraction: float) -> int:
    """Return how many heads or neurons stay when a fraction of them goes: at least one."""
    return max(1, count - round(fraction * count))


def check_removes(step: str, key: str, fraction: float, count: int, what: str) -> None:
    """Check that this fraction of heads or neurons is at least one, and not the last.

    Args:
        step: named in the error, as is `key`.
        key: where the fraction is set.
        fraction: of them that is to go.
        count: how many there are in a layer, or in all.
        what: they are, in the plural.

    Raises:
        UserError: if nothing would go.
    """
    if remaining(count, fraction) < count:
        return
    allowed = f"Take more than {0.5 / count:.2g}" if count > 1 else "The last one always stays: leave the step out"
    raise UserError(f"step '{step}': {key} is {fraction}, but of the model's {count} {what} that is none. {allowed}.")


def check_tokens(shape: Shape, step: str, max_length: int) -> None:
    """Check that the model can take texts of this length.

    Raises:
        UserError: if it takes fewer tokens.
    """
    if shape.tokens is not None and max_length > shape.tokens:
        raise UserError(
            f"step '{step}': max_length is {max_length}, but the model takes at most {shape.tokens} tokens."
        )


def _layers_of_their_own(
    config: Mapping[str, Any], architecture: Architecture | None, layers: int | None
) -> int | None:
    """Return how many layers have weights that no other has."""
    if architecture is None or not architecture.one_layer_repeated:
        return layers
    return int(config.get("num_hidden_groups") or 1) * int(config.get("inner_group_num") or 1)


def _outputs(tensors: Mapping[str, list[int]], architecture: Architecture, module: str) -> list[int]:
    """Return how many outputs a module has in every layer, lowest first."""
    pattern = architecture.weight_of(module)
    found = [(match[1], dims[0]) for name, dims in tensors.items() if (match := pattern.search(name))]
    return [rows for _, rows in sorted(found, key=lambda entry: [int(part) for part in re.findall(r"\d+", entry[0])])]


def _sizes(config: Mapping[str, Any], where: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, keys in _KEYS.items():
        for key in keys:
            value = config.get(key)
            if value is None:
                continue
            if type(value) is not int or value < 1:
                raise UserError(f"{where}: {key} is {value!r}, but must be a whole number above 0.")
            found.setdefault(name, value)
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"model: {path.name} cannot be read ({error}). Take another copy of it.") from None
    if not isinstance(content, dict):
        raise UserError(f"model: {path.name} holds no mapping. Take another copy of it.")
    return content
