"""Load and save a transformers checkpoint, including one whose layers were made smaller.

transformers cannot reload a model with pruned heads, because its config has one size for all layers. So the sizes are
read from the tensors in the file.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from runner.engines.lean_transformers import transformers

WEIGHTS = "model.safetensors"
TOKENIZER_CONFIG = "tokenizer_config.json"
# Keys that Pinbox adds to config.json.
TOKEN_TYPES = "takes_token_types"  # whether the model takes token types
POOLING = "vector_pooling"  # how an encoder without a head makes a text's vector: one of POOLINGS
NORMALIZED = "vector_normalized"  # whether the vector is divided by its length
PROMPTS = "vector_prompts"  # what comes before each query and before each document

POOLINGS = ("mean", "first")
OF_TOKENS = "ForTokenClassification"  # the end of the names of classes whose logits are [texts, tokens, labels]
_QUERIES = ("query", "query_proj")  # the query layers in attention modules that store their number of heads


class Embedder(nn.Module):
    """An encoder without a head that is called like a classifier. Its "logits" are a vector for each text.

    The vector is the mean of the tokens' last hidden states, or the first token's, as `config.vector_pooling` says. It
    is divided by its length if `config.vector_normalized` is true.
    """

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder

    @property
    def config(self) -> Any:
        """The encoder's config."""
        return self.encoder.config

    @property
    def base_model(self) -> Any:
        """The encoder."""
        return self.encoder

    def get_input_embeddings(self) -> Any:
        """Return the encoder's token embeddings."""
        return self.encoder.get_input_embeddings()

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        token_type_ids: torch.Tensor | None = None,
        **options: Any,
    ) -> transformers.modeling_outputs.SequenceClassifierOutput:
        """Return the vectors, [texts, width], and the hidden states if the options ask for them."""
        types = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        output = self.encoder(input_ids=input_ids, attention_mask=attention_mask, **types, **options)
        states = output.last_hidden_state
        if self.config.vector_pooling == "first":
            vectors = states[:, 0]
        else:
            mask = attention_mask.unsqueeze(-1).to(states.dtype)
            vectors = (states * mask).sum(1) / mask.sum(1)
        if getattr(self.config, NORMALIZED, False):
            vectors = nn.functional.normalize(vectors)
        return transformers.modeling_outputs.SequenceClassifierOutput(
            logits=vectors, hidden_states=output.hidden_states
        )


def without_pooler(architecture: Any) -> dict[str, bool]:
    """Return the arguments that leave out an encoder's pooler, which only a head reads; {} if it has none for this."""
    return {"add_pooling_layer": False} if "add_pooling_layer" in signature(architecture.__init__).parameters else {}


def load_checkpoint(folder: Path, attention: str = "sdpa") -> Any:
    """Load a classifier of texts or tokens, or an `Embedder`, in eval mode and in the type of its file.

    Args:
        folder: the folder with config.json and model.safetensors.
        attention: "sdpa" to run the model, "eager" to export it, because runtimes fuse this graph. An architecture
            without sdpa, such as MPNet, gets eager.
    """
    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
    pooled = getattr(config, POOLING, None) is not None
    classifier = (
        transformers.AutoModelForTokenClassification
        if classifies_tokens(config)
        else transformers.AutoModelForSequenceClassification
    )
    architecture = (transformers.AutoModel if pooled else classifier)._model_mapping[type(config)]
    if not architecture._supports_sdpa:
        attention = "eager"
    config._attn_implementation = attention
    config.use_cache = False  # a decoder needs no cache, because it generates nothing
    state = load_file(folder / WEIGHTS)
    # The file has all weights. No random weights are drawn, which would take memory.
    with transformers.initialization.no_init_weights():
        made = architecture._from_config(
            config, attn_implementation=attention, **(without_pooler(architecture) if pooled else {})
        )
        model = Embedder(made) if pooled else made
        _shrink(model, state)
    missing, unexpected = model.load_state_dict(state, strict=False, assign=True)
    if missing or unexpected:
        raise ValueError(f"{folder / WEIGHTS} does not fit its config: missing {missing}, unexpected {unexpected}")
    return model.eval()


def save_checkpoint(model: transformers.PreTrainedModel | Embedder, folder: Path, tokenizer_from: Path) -> None:
    """Write the config, the weights and the tokenizer of `tokenizer_from` into `folder`. AutoTokenizer can read it."""
    model.config.architectures = [type(model.encoder if isinstance(model, Embedder) else model).__name__]
    model.config.save_pretrained(folder)
    state = {name: tensor.detach().contiguous() for name, tensor in model.state_dict().items()}
    save_file(state, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / "tokenizer.json").write_bytes((tokenizer_from / "tokenizer.json").read_bytes())
    _write_tokenizer_config(folder, model.config)


def _write_tokenizer_config(folder: Path, config: Any) -> None:
    """Write the config that makes AutoTokenizer take tokenizer.json as it is, for every type of model."""
    from tokenizers import Tokenizer

    padding = getattr(config, "pad_token_id", None)
    token = None if padding is None else Tokenizer.from_file(str(folder / "tokenizer.json")).id_to_token(padding)
    content = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_input_names": input_names(config),
        **({} if token is None else {"pad_token": token}),
    }
    (folder / TOKENIZER_CONFIG).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def classifies_tokens(config: Any) -> bool:
    """Return whether a config describes a model that classifies tokens."""
    return any(name.endswith(OF_TOKENS) for name in config.architectures or [])


def input_names(config: Any) -> list[str]:
    """Return the names of the inputs of a checkpoint's model, in order.

    Token types, which distinguish the texts of a pair, are among them only if the step that made the checkpoint noted
    this in the config. Single texts do not need them: all are 0, which is the model's default.
    """
    return ["input_ids", "attention_mask", *(["token_type_ids"] if getattr(config, TOKEN_TYPES, False) else [])]


def count_heads(model: nn.Module) -> None:
    """Set the number of heads of all attention in a model, or in a part of it, from the width of its queries."""
    part: Any
    for part in model.modules():
        queries = next((getattr(part, name) for name in _QUERIES if hasattr(part, name)), None)
        if queries is not None and hasattr(queries, "out_features") and hasattr(part, "attention_head_size"):
            part.all_head_size = queries.out_features
            part.num_attention_heads = queries.out_features // part.attention_head_size


class LowRank(nn.Sequential):
    """A linear layer as the product of two: `down` gives `rank` values, and `up`, with the bias, the outputs."""

    down: nn.Linear
    up: nn.Linear

    def __init__(self, inputs: int, rank: int, outputs: int, bias: bool) -> None:
        down, up = nn.Linear(inputs, rank, bias=False), nn.Linear(rank, outputs, bias=bias)
        super().__init__(OrderedDict(down=down, up=up))

    @property
    def in_features(self) -> int:
        """The number of inputs of the linear layer that it replaces."""
        return self.down.in_features

    @property
    def out_features(self) -> int:
        """The number of outputs of the linear layer that it replaces."""
        return self.up.out_features


def replace_module(model: nn.Module, name: str, module: nn.Module) -> None:
    """Replace the module with this dotted name."""
    parent, _, attribute = name.rpartition(".")
    setattr(model.get_submodule(parent), attribute, module)


def _shrink(model: nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Give every linear layer the size of its weights in the file, and make it a product if the file has factors."""
    for name, module in list(model.named_modules()):
        if not isinstance(module, nn.Linear):
            continue
        weight, bias = state.get(f"{name}.weight"), module.bias is not None
        if weight is not None and weight.shape != module.weight.shape:
            outputs, inputs = weight.shape
            replace_module(model, name, nn.Linear(inputs, outputs, bias=bias))
        elif f"{name}.down.weight" in state:
            rank, inputs = state[f"{name}.down.weight"].shape
            outputs = len(state[f"{name}.up.weight"])
            replace_module(model, name, LowRank(inputs, rank, outputs, bias))
    count_heads(model)
