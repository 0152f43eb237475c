"""Write a BERT encoder as a GGUF file, with the names and types that llama.cpp expects.

No package contains llama.cpp's own converter (convert_hf_to_gguf.py). This module does the same for one architecture,
with the library that the converter uses.
"""

from __future__ import annotations

import ctypes
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from runner.errors import UserError

#: By quantization: the type of a weight, and the type of a weight whose rows do not fit into blocks.
TYPES = {"f32": ("F32", "F32"), "f16": ("F16", "F16"), "q8_0": ("Q8_0", "Q8_0"), "q4_k": ("Q4_K", "Q5_0")}
_FILE_TYPES = {"f32": "ALL_F32", "f16": "MOSTLY_F16", "q8_0": "MOSTLY_Q8_0", "q4_k": "MOSTLY_Q4_K_S"}
_NOT_QUANTIZED = ("position_embd.weight", "token_types.weight")  # as in llama.cpp's own quantizer
_WORD = "\u2581"  # begins each token that begins a word; WordPiece marks the other tokens instead


def write_gguf(model: Any, tokenizer: Path, target: Path, quantization: str) -> dict[str, int]:
    """Write the file, and return the number of weights of each type.

    Args:
        model: the encoder, an `Embedder`.
        tokenizer: its tokenizer.json.
        target: the folder for the file.
        quantization: one of `TYPES`.

    Raises:
        UserError: if llama.cpp's graph differs from the model's, or lacks a tensor of it.
    """
    import gguf

    from runner.engines.llamacpp import MODEL

    _check_graph(model.config)
    writer = gguf.GGUFWriter(target / MODEL, gguf.MODEL_ARCH_NAMES[gguf.MODEL_ARCH.BERT])
    writer.add_file_type(gguf.LlamaFileType[_FILE_TYPES[quantization]])
    _describe(writer, model.config)
    _add_vocabulary(writer, json.loads(tokenizer.read_text(encoding="utf-8")), model.config)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, model.config.num_hidden_layers)
    types: Counter[str] = Counter()
    for name, tensor in model.encoder.state_dict().items():
        called = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if called is None:
            raise UserError(f"step 'gguf-export': llama.cpp's BERT has no tensor like {name}. Take another technique.")
        kind = _type_of(called, tensor.shape, quantization)
        types[kind.name] += tensor.numel()
        writer.add_tensor(called, quantize(tensor.float().numpy(), kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return dict(types)


def quantize(weights: np.ndarray, kind: Any) -> np.ndarray:
    """Return weights in a type of llama.cpp, by its own quantizer, which the wheel's library exports.

    Args:
        weights: float32 [rows, width], or [width] if the type is float32.
        kind: the type, a `gguf.GGMLQuantizationType`. The width must be a multiple of its block.
    """
    import gguf

    from runner.engines.llamacpp import LIBRARY

    if kind == gguf.GGMLQuantizationType.F32:
        return weights
    rows, width = weights.shape
    weights = np.ascontiguousarray(weights, np.float32)
    out = np.empty(gguf.quant_shape_to_byte_shape(weights.shape, kind), np.uint8)
    call = ctypes.CDLL(LIBRARY).ggml_quantize_chunk
    call.restype = ctypes.c_size_t
    call.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_int64] * 3, ctypes.c_void_p]
    written = call(int(kind), weights.ctypes.data, out.ctypes.data, 0, rows, width, None)
    assert written == out.nbytes
    return out


def _type_of(name: str, shape: tuple[int, ...], quantization: str) -> Any:
    """Return the type in which a tensor is stored."""
    import gguf

    types = gguf.GGMLQuantizationType
    if len(shape) < 2 or name in _NOT_QUANTIZED:
        return types.F32
    wanted, other = (types[kind] for kind in TYPES[quantization])
    block, _ = gguf.GGML_QUANT_SIZES[wanted]
    return other if shape[-1] % block else wanted


def _check_graph(config: Any) -> None:
    """Check that a config asks for what llama.cpp's BERT computes.

    Raises:
        UserError: if it does not.
    """
    for key, computed in (("hidden_act", "gelu"), ("position_embedding_type", "absolute")):
        value = getattr(config, key, computed)
        if value != computed:
            raise UserError(
                f"step 'gguf-export': llama.cpp's BERT computes {key} {computed}, but the model's config.json has "
                f"{value}. Take another technique."
            )


def _describe(writer: Any, config: Any) -> None:
    """Write the sizes of the model and its pooling."""
    import gguf

    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_layer_norm_eps(config.layer_norm_eps)
    writer.add_causal_attention(False)
    writer.add_token_type_count(config.type_vocab_size)
    writer.add_pooling_type(gguf.PoolingType.CLS if config.vector_pooling == "first" else gguf.PoolingType.MEAN)


def _add_vocabulary(writer: Any, tokenizer: dict[str, Any], config: Any) -> None:
    """Write the tokens of a WordPiece tokenizer, in the order of their ids."""
    import gguf

    added = tokenizer["added_tokens"]
    ids: dict[str, int] = tokenizer["model"]["vocab"] | {token["content"]: token["id"] for token in added}
    special = {token["id"] for token in added if token["special"]}
    prefix = tokenizer["model"]["continuing_subword_prefix"]
    tokens = [f"[unused {number}]" for number in range(config.vocab_size)]  # for the ids that the tokenizer lacks
    for token, number in ids.items():
        within = token.startswith(prefix)
        tokens[number] = token if number in special else token.removeprefix(prefix) if within else _WORD + token
    kinds = gguf.TokenType
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types([kinds.CONTROL if number in special else kinds.NORMAL for number in range(len(tokens))])
    for token, add in (
        ("[UNK]", writer.add_unk_token_id),
        ("[SEP]", writer.add_sep_token_id),
        ("[PAD]", writer.add_pad_token_id),
        ("[MASK]", writer.add_mask_token_id),
        ("[CLS]", writer.add_bos_token_id),
        ("[SEP]", writer.add_eos_token_id),
    ):
        if token in ids:
            add(ids[token])
