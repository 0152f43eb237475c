"""GGUF files are compared with their checkpoint through the engine that trials use."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from runner.config.task_kinds import RERANK, VECTORS
from runner.engines.checkpoint import load_checkpoint, save_checkpoint
from runner.errors import UserError
from runner.techniques.chain import make_step
from runner.techniques.gguf.gguf_files import quantize
from runner.techniques.shape import Shape
from tests.techniques.conftest import SHAPE, apply_step

gguf = pytest.importorskip("gguf", reason="the extra llamacpp is not installed")
pytest.importorskip("xllamacpp", reason="the extra llamacpp is not installed")
from runner.engines.llamacpp import MODEL, Engine  # noqa: E402

LENGTHS = (1, 7, 20, 60)


@pytest.fixture(scope="module")
def encoder(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder whose feed-forward network is wide enough for blocks of 256, and whose hidden states are not."""
    return random_encoder(plain, tmp_path_factory.mktemp("encoder") / "model", intermediate_size=256)


def random_encoder(plain: Path, target: Path, **sizes: int) -> Path:
    """Make an encoder with random weights and a WordPiece tokenizer."""
    shape = {"model_type": "bert", **SHAPE, **sizes}
    made, _ = apply_step(target, None, plain, step="random-weights", shape=shape)
    word_pieces().save(str(made / "tokenizer.json"))
    return made


def word_pieces() -> Tokenizer:
    """Return a tokenizer as BERT has it, which knows letters and a few words."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    tokens += [*",.!", "one", "text", "river", "##ing", "##rs"]
    made = Tokenizer(models.WordPiece({token: number for number, token in enumerate(tokens)}, unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    made.add_special_tokens(tokens[:5])
    made.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return made


def export(checkpoint: Path, plain: Path, target: Path, quantization: str) -> tuple[Path, dict[str, Any]]:
    return apply_step(target, checkpoint, plain, step="gguf-export", quantization=quantization)


def inputs() -> tuple[np.ndarray, np.ndarray]:
    """Return random texts of several lengths, padded."""
    ids = np.random.default_rng(0).integers(5, 300, (len(LENGTHS), max(LENGTHS)))
    return ids, (np.arange(max(LENGTHS)) < np.array(LENGTHS)[:, None]).astype(np.int64)


def vectors(artifact: Path, threads: int = 1) -> np.ndarray:
    engine = Engine(artifact, threads)
    return engine.logits(engine.run(engine.prepare(*inputs())))


def original(checkpoint: Path) -> np.ndarray:
    ids, mask = map(torch.from_numpy, inputs())
    with torch.inference_mode():
        return load_checkpoint(checkpoint)(ids, mask).logits.numpy()


def cosines(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return (left * right).sum(1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)


@pytest.mark.parametrize(
    ("quantization", "lowest", "types", "precision"),
    [
        ("f32", 0.99999, {"F32"}, "float32"),
        ("f16", 0.9999, {"F32", "F16"}, "float16"),
        ("q8_0", 0.999, {"F32", "Q8_0"}, "int8"),
        ("q4_k", 0.96, {"F32", "Q4_K", "Q5_0"}, "int8"),
    ],
)
def test_vectors_are_near_those_of_transformers(
    quantization: str, lowest: float, types: set[str], precision: str, encoder: Path, plain: Path, tmp_path: Path
) -> None:
    made, notes = export(encoder, plain, tmp_path / "made", quantization)
    found = cosines(vectors(made), original(encoder))
    assert found.min() > lowest
    assert notes["weights_by_type"].keys() == types
    assert sum(notes["weights_by_type"].values()) == sum(
        parameter.numel() for parameter in load_checkpoint(encoder).parameters()
    )
    engine = Engine(made, 1)
    assert engine.precision(engine.prepare(*inputs())) == precision
    if quantization == "f32":
        assert np.abs(vectors(made) - original(encoder)).max() < 0.01 * np.abs(original(encoder)).max()


@pytest.mark.parametrize(("pooling", "normalized"), [("first", False), ("mean", True)])
def test_pooling_and_length_are_those_of_the_checkpoint(
    pooling: str, normalized: bool, encoder: Path, plain: Path, tmp_path: Path
) -> None:
    model = load_checkpoint(encoder)
    model.config.vector_pooling, model.config.vector_normalized = pooling, normalized
    (tmp_path / "changed").mkdir()
    save_checkpoint(model, tmp_path / "changed", tokenizer_from=encoder)
    made, _ = export(tmp_path / "changed", plain, tmp_path / "made", "f32")
    expected = original(tmp_path / "changed")
    assert np.abs(vectors(made) - expected).max() < 0.01 * np.abs(expected).max()
    assert cosines(expected, original(encoder)).min() < 0.9 or normalized


def test_llama_cpp_reads_texts_by_the_vocabulary_in_the_file(encoder: Path, plain: Path, tmp_path: Path) -> None:
    made, _ = export(encoder, plain, tmp_path / "made", "f32")
    text = "One text of horses, and rivers!"
    ids = Tokenizer.from_file(str(encoder / "tokenizer.json")).encode(text).ids
    engine = Engine(made, 1)
    request = engine.prepare(np.array([ids]), np.ones((1, len(ids)), np.int64))
    assert engine.logits(engine.run(request | {"input": text})).tolist() == engine.logits(engine.run(request)).tolist()


def test_the_engine_says_what_it_uses(encoder: Path, plain: Path, tmp_path: Path) -> None:
    made, _ = export(encoder, plain, tmp_path / "made", "q8_0")
    said = Engine(made, 2).describe()
    assert said["threads"] == 2
    assert re.fullmatch(r"\d+\.\d+\.\d+", said["xllamacpp"])
    assert said["instruction_set"]
    assert np.allclose(vectors(made, 2), vectors(made, 1), atol=1e-5)


def test_a_text_that_is_too_long_is_an_error(encoder: Path, plain: Path, tmp_path: Path) -> None:
    made, _ = export(encoder, plain, tmp_path / "made", "f32")
    engine = Engine(made, 1)
    ids = np.full((1, SHAPE["max_position_embeddings"] + 1), 5)
    with pytest.raises(ValueError, match=r"llama\.cpp: input \(131 tokens\) is too large"):
        engine.run(engine.prepare(ids, np.ones_like(ids)))


@pytest.mark.parametrize(("kind", "worst"), [("Q8_0", 0.01), ("Q5_0", 0.08), ("Q4_K", 0.12), ("F16", 1e-3)])
def test_weights_are_what_llama_cpp_s_library_reads(kind: str, worst: float) -> None:
    weights = np.random.default_rng(0).normal(size=(3, 512)).astype(np.float32)
    type_ = gguf.GGMLQuantizationType[kind]
    back = gguf.quants.dequantize(quantize(weights, type_), type_)
    assert np.abs(back - weights).max() < worst * np.abs(weights).max()


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (Shape(model_type="mpnet"), "exports the architecture bert, not 'mpnet'"),
        (Shape(model_type="bert", tokenizer="Unigram"), "exports WordPiece tokenizers, not Unigram"),
        (Shape(model_type="bert", hidden=312), "hidden_size is 312, but q8_0 needs a multiple of 32"),
        (Shape(model_type="bert", hidden=64, neurons=100), "intermediate_size is 100, but q8_0 needs a multiple of 32"),
        (Shape(model_type="bert", hidden=64, heads=(4, 2), head_size=16), "heads were removed"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(shape: Shape, message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        make_step({"step": "gguf-export"}, "test").infer_shape(shape)


def test_float_takes_any_width() -> None:
    shape = Shape(model_type="bert", hidden=312, tokenizer="WordPiece")
    assert make_step({"step": "gguf-export", "quantization": "f16"}, "test").infer_shape(shape) == shape


def test_a_graph_that_llama_cpp_does_not_have_is_refused(encoder: Path, plain: Path, tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((encoder / name).read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"hidden_act": "relu"}))
    with pytest.raises(UserError, match=r"computes hidden_act gelu, but the model's config\.json has relu"):
        export(tmp_path, plain, tmp_path / "made", "f32")
    assert not (tmp_path / "made" / MODEL).exists()


def test_an_unknown_quantization_is_refused() -> None:
    with pytest.raises(UserError, match=r"quantization is 'q8'\. Did you mean"):
        make_step({"step": "gguf-export", "quantization": "q8"}, "test")


def test_it_is_for_vectors_of_single_texts() -> None:
    built = make_step({"step": "gguf-export"}, "test")
    assert built.kinds == VECTORS
    assert RERANK not in built.kinds
    assert not built.takes_pairs
