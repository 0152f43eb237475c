"""Count the floating-point operations of a call from the shapes in a checkpoint's file.

A multiplication and an addition are two operations. Only matrix products count, as in `torch.utils.flop_counter`. In an
encoder, softmax, normalization and activation add a few percent. A quantized model needs as many operations as the
checkpoint from which it was made, but in integers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from runner.models.architectures import ARCHITECTURES

if TYPE_CHECKING:
    import numpy as np

# DeBERTa also multiplies by all positions, in part once per call, and Nyströmformer also has convolutions.
_UNCOUNTED = ("deberta-v2", "nystromformer")
_LAYER = re.compile(r"\.layer\.(\d+)\.")  # layers like BERT's, the only ones with `first_token_only`
_OF_ALL_TOKENS = re.compile(r"\.(key|value)(\.up|\.down)?\.weight$")  # the first token attends to all tokens
_LOOK_UP = re.compile(r"embeddings\.|embed_positions|relative_attention_bias")


class CallFlops(NamedTuple):
    """The FLOPs of a mean call, once for the tokens that are not padding and once for all tokens."""

    useful: float
    padded: float


@dataclass(frozen=True)
class FlopCount:
    """The FLOPs of a text with t tokens: per_example + per_token · t + per_token_squared · t²."""

    per_example: int
    per_token: int
    per_token_squared: int

    def of(self, tokens: int) -> int:
        """Return the FLOPs of a text with this number of tokens."""
        return self.per_example + self.per_token * tokens + self.per_token_squared * tokens * tokens

    def per_call(self, masks: Sequence[np.ndarray]) -> CallFlops:
        """Return the FLOPs of a mean call, from the attention masks of all calls, each [texts, padded length].

        Raises:
            ValueError: if there are no masks.
        """
        if not masks:
            raise ValueError("there are no calls to count FLOPs of")
        useful = sum(self.of(int(tokens)) for mask in masks for tokens in mask.sum(axis=1))
        padded = sum(mask.shape[0] * self.of(mask.shape[1]) for mask in masks)
        return CallFlops(useful / len(masks), padded / len(masks))


def count_flops(checkpoint: Path, first_token_only: bool = False) -> FlopCount | None:
    """Count the matrix products of a checkpoint. Return None for an architecture that cannot be counted.

    A weight of a layer, or of the layer that widens embeddings, multiplies every token. Any other weight (of a pooler
    or classifier) multiplies one token of a text, or all tokens if each is classified. Embeddings are only looked up.
    Attention multiplies queries by keys and the result by values. These are two products for each two tokens, as wide
    as the query, whose width differs between layers after pruning.

    Args:
        checkpoint: the folder with config.json and model.safetensors. Only the header of the latter is read.
        first_token_only: whether only keys and values of the last layer multiply every token; see
            runner/techniques/torch/first_token.py.
    """
    config = json.loads((checkpoint / "config.json").read_text())
    architecture = ARCHITECTURES.get(str(config.get("model_type")))
    if architecture is None or config["model_type"] in _UNCOUNTED:
        return None
    shapes = tensor_shapes(checkpoint / "model.safetensors")
    last = max((int(match[1]) for name in shapes if (match := _LAYER.search(name))), default=None)
    queries = architecture.weight_of(architecture.projections[0])
    widening = f".{architecture.widening}.weight"
    times = config["num_hidden_layers"] // config.get("num_hidden_groups", 1) if architecture.one_layer_repeated else 1
    of_tokens = any(name.endswith("ForTokenClassification") for name in config.get("architectures") or [])
    per_example, per_token, per_token_squared = 0, 0, 0
    for name, shape in shapes.items():
        if len(shape) != 2 or _LOOK_UP.search(name):
            continue
        inside = architecture.in_a_layer(name)
        products, attention = 2 * prod(shape), 4 * shape[0] // architecture.shares if queries.search(name) else 0
        layer = _LAYER.search(name) if first_token_only else None
        in_last = layer is not None and int(layer[1]) == last and not _OF_ALL_TOKENS.search(name)
        if in_last or not (inside or of_tokens or name.endswith(widening)):
            per_example += products
            per_token += attention
        else:
            per_token += products * (times if inside else 1)
            per_token_squared += attention * times
    return FlopCount(per_example, per_token, per_token_squared)


def tensor_shapes(weights: Path) -> dict[str, list[int]]:
    """Return the shapes of the tensors in a safetensors file, by name.

    The file begins with 8 bytes of length and a JSON header (https://github.com/huggingface/safetensors).
    """
    with weights.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return {name: tensor["shape"] for name, tensor in header.items() if name != "__metadata__"}
