"""Describe where encoders keep the layers, heads and neurons that steps remove, by model_type of transformers.

The module also lists the architectures that Pinbox refuses, and those that a step refuses. It imports neither torch nor
transformers, because it is read when a job is composed. To teach Pinbox another encoder, add its entry here. Then
`python -m tests.architectures` shows which techniques work on it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Architecture:
    """The parts of one architecture. Names of modules are dotted and relative to a layer, except where noted.

    Attributes:
        layers: the list of layers, relative to the base model; a * stands for every entry of a list.
        projections: the linear layers that compute the heads' inputs, queries first; some models lack the last ones.
        attended: the linear layer that takes the heads' outputs.
        into, out: the two linear layers of the feed-forward network.
        shares: how many times a projection's outputs hold every head: 3 if queries, keys and values are one layer.
        gates: how many times the outputs of `into` hold every neuron: 2 if one half is multiplied by the other.
        neurons_key: the field of the config that holds the number of neurons.
        widening: a linear layer from embeddings to wider hidden states, relative to the base model.
        sizes: the defaults of transformers for sizes that config.json lacks.
        numbered_from_padding: whether positions are numbered from the padding id on, which leaves fewer for texts.
        one_layer_repeated: whether all layers are the same layer, which runs several times.
        first_layer_differs: whether the first layer lacks a part that the others have, so that it cannot be removed.
        heads_stay: the reason why no head can be removed; None if heads can be removed.
        attends_as_bert: whether its attention has the same modules as BERT's.
    """

    layers: str
    projections: tuple[str, ...]
    attended: str
    into: str
    out: str
    shares: int = 1
    gates: int = 1
    neurons_key: str = "intermediate_size"
    widening: str | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)
    numbered_from_padding: bool = False
    one_layer_repeated: bool = False
    first_layer_differs: bool = False
    heads_stay: str | None = None
    attends_as_bert: bool = False

    def weight_of(self, module: str) -> re.Pattern[str]:
        """Return a pattern that matches the name of a module's weight in a file. Group 1 is the layer's name.

        The pattern matches the factor that computes the outputs if the module is factorised.

        Args:
            module: the module's name within a layer.
        """
        return re.compile(rf"({self._layer})\.{re.escape(module)}(?:\.up)?\.weight$")

    def in_a_layer(self, weight: str) -> bool:
        """Return whether a weight with this name belongs to a layer."""
        return re.search(rf"{self._layer}\.", weight) is not None

    @property
    def _layer(self) -> str:
        return re.escape(self.layers).replace(r"\*", r"\d+") + r"\.\d+"


_BASE = {"layers": 12, "heads": 12, "hidden": 768, "neurons": 3072, "positions": 512, "vocabulary": 30522}
_BERT = Architecture(
    layers="encoder.layer",
    projections=("attention.self.query", "attention.self.key", "attention.self.value"),
    attended="attention.output.dense",
    into="intermediate.dense",
    out="output.dense",
    sizes=_BASE,
    attends_as_bert=True,
)
_ROBERTA = replace(_BERT, numbered_from_padding=True)

ARCHITECTURES = {
    "albert": Architecture(
        layers="encoder.albert_layer_groups.*.albert_layers",
        projections=("attention.query", "attention.key", "attention.value"),
        attended="attention.dense",
        into="ffn",
        out="ffn_output",
        widening="encoder.embedding_hidden_mapping_in",
        sizes=_BASE | {"heads": 64, "hidden": 4096, "neurons": 16384, "vocabulary": 30000},
        one_layer_repeated=True,
    ),
    "bert": _BERT,
    "big_bird": replace(
        _BERT,
        sizes=_BASE | {"positions": 4096, "vocabulary": 50358},
        heads_stay="its attention assumes that all heads together are as wide as the hidden states",
        attends_as_bert=False,
    ),
    "camembert": _ROBERTA,
    "data2vec-text": _ROBERTA,
    "deberta-v2": replace(  # v3 has this model_type, too
        _BERT,
        projections=tuple(f"attention.self.{name}_proj" for name in ("query", "key", "value", "pos_key", "pos_query")),
        sizes=_BASE | {"layers": 24, "heads": 24, "hidden": 1536, "neurons": 6144, "vocabulary": 128100},
        attends_as_bert=False,
    ),
    "distilbert": Architecture(
        layers="transformer.layer",
        projections=("attention.q_lin", "attention.k_lin", "attention.v_lin"),
        attended="attention.out_lin",
        into="ffn.lin1",
        out="ffn.lin2",
        neurons_key="hidden_dim",
        sizes=_BASE | {"layers": 6},
    ),
    "electra": replace(
        _BERT, widening="embeddings_project", sizes=_BASE | {"heads": 4, "hidden": 256, "neurons": 1024}
    ),
    "ernie": _BERT,
    "modernbert": Architecture(
        layers="layers",
        projections=("attn.Wqkv",),
        attended="attn.Wo",
        into="mlp.Wi",
        out="mlp.Wo",
        shares=3,
        gates=2,
        sizes=_BASE | {"layers": 22, "neurons": 1152, "positions": 8192, "vocabulary": 50368},
        first_layer_differs=True,
    ),
    "mpnet": replace(
        _ROBERTA,
        projections=("attention.attn.q", "attention.attn.k", "attention.attn.v"),
        attended="attention.attn.o",
        sizes=_BASE | {"vocabulary": 30527},
        heads_stay="all layers share one table of positions, which has a column for each head",
        attends_as_bert=False,
    ),
    "nystromformer": replace(
        _BERT,
        sizes=_BASE | {"positions": 510, "vocabulary": 30000},
        heads_stay="each head has its own convolution beside its attention",
        attends_as_bert=False,
    ),
    "roberta": replace(_ROBERTA, sizes=_BASE | {"vocabulary": 50265}),
    "roformer": replace(
        _BERT,
        widening="embeddings_project",
        sizes=_BASE | {"positions": 1536, "vocabulary": 50000},
        attends_as_bert=False,
    ),
    "xlm-roberta": _ROBERTA,
    "xlm-roberta-xl": replace(
        _ROBERTA,
        sizes=_BASE
        | {"layers": 36, "heads": 32, "hidden": 2560, "neurons": 10240, "positions": 514, "vocabulary": 250880},
        attends_as_bert=False,
    ),
}
# The last line names architectures that cannot be pruned but number positions as RoBERTa does.
_NUMBERED_FROM_PADDING = (
    *(name for name, architecture in ARCHITECTURES.items() if architecture.numbered_from_padding),
    *("esm", "ibert", "longformer", "roberta-prelayernorm", "xmod"),
)
# Why Pinbox refuses models of an architecture although transformers has it and calls it like the others.
_REFUSED = {
    "canine": "it reads characters, and has no tokenizer",
    "tapas": "its token types are the rows and columns of a table, which a text does not have",
    "xlnet": "it reads the last token's state, so it expects padding before a text, but Pinbox pads after it",
}
# Why a step cannot transform an architecture, by the step's name and the model_type; see docs/architectures.md.
_OF_ONE_LENGTH = {  # a traced graph keeps what Python computed from the length of its example
    "funnel": "a traced graph would keep its relative positions for texts of one length",
    "longformer": "a traced graph would keep its windows for texts of one length",
}
_FEWER_STATES = "it has fewer hidden states than a text has tokens"
REFUSED_BY_STEP = {
    **dict.fromkeys(("torchscript", "torch-dynamic-int8", "onnx-export"), _OF_ONE_LENGTH),
    "onnx-embedding-blocks": dict.fromkeys(("gpt2", "xlm"), "its graph changes the ids before it looks them up"),
    "onnx-fusion": {"mobilebert": "ONNX Runtime cannot fuse any part of its graph"},
    "onnx-weight-only": {
        "gpt2": "its products include biases (Gemm), for which there are no such kernels",
        "squeezebert": "its products are convolutions, for which there are no such kernels",
    },
    "openvino-export": _OF_ONE_LENGTH | {"xlm": "OpenVINO cannot convert all of its operators"},
    "openvino-static-int8": {"nystromformer": "OpenVINO has no int8 kernel for its convolutions on a CPU"},
    "quantization-aware-training": {
        **_OF_ONE_LENGTH,
        "big_bird": "it has a pooler that its classifier does not read, so the pooler's ranges are never learnt",
        "gpt2": "its products are not linear layers, so their ranges are not learnt",
        "roformer": "it looks its positions up with another kind of embedding",
    },
    "static-embedding": {"funnel": _FEWER_STATES},
}


def positions_for_texts(model_type: str | None, positions: int, padding: int | None) -> int:
    """Return how many tokens a model with this number of positions can take.

    Args:
        model_type: the architecture; those not listed above number positions from 0.
        positions: max_position_embeddings of the model's config.
        padding: pad_token_id of the model's config; None means 1, as in transformers.
    """
    if model_type not in _NUMBERED_FROM_PADDING:
        return positions
    return positions - 1 - (1 if padding is None else padding)


def longest_text(config: Mapping[str, Any], positions: int | None) -> int | None:
    """Return how many tokens a model can take; None if there is no limit.

    BigBird attends to all tokens of a text up to this length. It attends to blocks of a longer text, but only until it
    first gets a shorter one, so its predictions would depend on the order of the texts.

    Args:
        config: the content of config.json.
        positions: the number of the model's positions; see `positions_for_texts`.
    """
    if not positions:
        return None
    limit = positions_for_texts(config.get("model_type"), positions, config.get("pad_token_id"))
    if config.get("model_type") == "big_bird" and config.get("attention_type", "block_sparse") == "block_sparse":
        in_full: int = (5 + 2 * config.get("num_random_blocks", 3)) * config.get("block_size", 64)
        return min(limit, in_full)
    return limit


def why_refused(config: Mapping[str, Any]) -> str | None:
    """Return why Pinbox refuses a model with this config.json; None if it does not."""
    model_type = config.get("model_type")
    if model_type in ("flaubert", "xlm") and config.get("use_lang_emb", True) and config.get("n_langs", 1) > 1:
        return "it adds a vector for a text's language (n_langs, use_lang_emb), but Pinbox does not know the language"
    if model_type == "nystromformer":
        landmarks, length = config.get("num_landmarks", 64), config.get("segment_means_seq_len", 64)
        if landmarks != length:
            return (
                f"it takes texts of exactly {length} tokens (segment_means_seq_len is not num_landmarks, {landmarks})"
            )
    return _REFUSED.get(str(model_type))
