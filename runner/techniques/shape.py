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
from runner.machine.flops import tensor_shapes

_BERT_LIKE = ("bert", "camembert", "electra", "ernie", "roberta", "xlm-roberta")
_ENCODERS = (*_BERT_LIKE, "mpnet")  # whose layers have the parts of BERT's, but perhaps another attention
_NUMBERED_FROM_PADDING = ("roberta", "xlm-roberta", "camembert", "mpnet")  # their positions
_KEYS = {  # names in config.json; the later ones are DistilBERT's and GPT-2's
    "layers": ("num_hidden_layers", "n_layers", "n_layer"),
    "heads": ("num_attention_heads", "n_heads", "n_head"),
    "hidden": ("hidden_size", "dim", "n_embd"),
    "neurons": ("intermediate_size", "hidden_dim", "n_inner"),
    "vocabulary": ("vocab_size",),
    "positions": ("max_position_embeddings", "n_positions"),
}
_BASE = {"layers": 12, "heads": 12, "hidden": 768, "neurons": 3072, "positions": 512}
_DEFAULTS = {  # what transformers takes for a key that config.json has not
    "bert": _BASE | {"vocabulary": 30522},
    "roberta": _BASE | {"vocabulary": 50265},
    "mpnet": _BASE | {"vocabulary": 30527},
}
_WEIGHT = re.compile(r"\.layer\.(\d+)\.(attention\.(?:self\.query|attn\.q)|intermediate\.dense)(?:\.up)?\.weight$")


@dataclass(frozen=True)
class Shape:
    """Sizes of an encoder. None: not known.

    Attributes:
        model_type: the architecture, as config.json names it.
        layers: how many.
        heads: of every layer, lowest first.
        head_size: width of a head's queries.
        hidden: width of the hidden states.
        neurons: of every layer's feed-forward network.
        vocabulary: rows of the token embeddings.
        tokens: how many a text may have, special ones included.
        tokenizer: its kind: WordPiece, BPE, Unigram …
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


def shape_of_config(config: Mapping[str, Any], where: str) -> Shape:
    """Return the shape that a config of transformers describes.

    Args:
        config: what config.json holds, or a part of it.
        where: names the config in errors.

    Raises:
        UserError: if a size is not a whole number above 0, or the heads do not share the hidden width evenly.
    """
    model_type = config.get("model_type")
    sizes = _DEFAULTS.get(str(model_type), {}) | _sizes(config, where)
    layers, heads, hidden, positions = (sizes.get(key) for key in ("layers", "heads", "hidden", "positions"))
    if hidden and heads and hidden % heads:
        raise UserError(f"{where}: hidden_size {hidden} is not a multiple of num_attention_heads {heads}.")
    if positions and model_type in _NUMBERED_FROM_PADDING:
        padding = config.get("pad_token_id")
        positions -= 1 + (1 if padding is None else int(padding))
    return Shape(
        model_type=model_type,
        layers=layers,
        heads=(heads,) * layers if layers and heads else None,
        head_size=hidden // heads if hidden and heads else None,
        hidden=hidden,
        neurons=sizes.get("neurons"),
        vocabulary=sizes.get("vocabulary"),
        tokens=positions,
    )


def shape_of_files(folder: Path) -> Shape:
    """Return the shape of the model in a folder; what no file tells is None.

    Args:
        folder: may hold config.json and tokenizer.json.

    Raises:
        UserError: if a file is not what its name says; see `shape_of_config`.
    """
    config, tokenizer = folder / "config.json", folder / "tokenizer.json"
    shape = shape_of_config(_read(config), "config.json") if config.is_file() else Shape()
    if not tokenizer.is_file():
        return shape
    return replace(shape, tokenizer=(_read(tokenizer).get("model") or {}).get("type"))


def shape_of_checkpoint(folder: Path) -> Shape:
    """Return the shape of a checkpoint that a step made: heads and neurons as pruning left them.

    config.json has one size for all layers; the weights have each layer's.
    """
    shape = shape_of_files(folder)
    heads: dict[int, int] = {}
    neurons = set()
    for name, dims in tensor_shapes(folder / "model.safetensors").items():
        if (found := _WEIGHT.search(name)) is None:
            continue
        if found[2].startswith("intermediate"):
            neurons.add(dims[0])
        elif shape.head_size:
            heads[int(found[1])] = dims[0] // shape.head_size
    return replace(
        shape,
        heads=tuple(heads[layer] for layer in sorted(heads)) if heads else shape.heads,
        neurons=(neurons.pop() if len(neurons) == 1 else None) if neurons else shape.neurons,
    )


def check_layers(shape: Shape, step: str) -> None:
    """Check that the layers can be cut down.

    Raises:
        UserError: if they are not made as BERT's; it names the step.
    """
    _check_known(shape, step, "layers", _ENCODERS)


def check_attention(shape: Shape, step: str) -> None:
    """Check that heads can be cut out of the attention.

    Raises:
        UserError: if it is not made as BERT's; it names the step.
    """
    _check_known(shape, step, "attention", _BERT_LIKE)


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
        UserError: if it has fewer positions.
    """
    if shape.tokens is not None and max_length > shape.tokens:
        raise UserError(
            f"step '{step}': max_length is {max_length}, but the model has positions for {shape.tokens} tokens."
        )


def _check_known(shape: Shape, step: str, part: str, known: tuple[str, ...]) -> None:
    if shape.model_type is not None and shape.model_type not in known:
        raise UserError(
            f"step '{step}' knows the {part} of {', '.join(sorted(known))}, but the model_type is {shape.model_type}. "
            "Exclude the two from meeting in the grid."
        )


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
