"""The whole model is run where the small one is not confident, and only there."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from runner.engines.onnxruntime import Engine
from runner.errors import UserError
from runner.store.artifacts import folder_sha256
from runner.tasks.texts import read_split
from runner.techniques.chain import check_chain, make_chain, make_step
from runner.techniques.onnx.cascade import join
from runner.techniques.onnx.onnx_static_int8 import encode
from runner.trial.weights import int8_weight_bits
from tests.techniques.conftest import apply_step, save_random


@pytest.fixture(scope="module")
def graphs(bert: Path, texts: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A small graph, another model's checkpoint, and that model's graph in int8."""
    folder = tmp_path_factory.mktemp("graphs")
    other = save_random(folder / "other", texts, "bert", seed=1)
    small, _ = apply_step(folder / "small", bert, texts, step="onnx-export")
    plain, _ = apply_step(folder / "plain", other, texts, step="onnx-export", first_token=True)
    whole, _ = apply_step(folder / "whole", plain, texts, step="onnx-dynamic-int8", per_channel=True)
    return small, other, whole


def _logits(folder: Path, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    logits: np.ndarray = session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
    return logits


def _sure(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits)
    highest: np.ndarray = (powers / powers.sum(1, keepdims=True)).max(1)
    return highest


def _batch() -> tuple[np.ndarray, np.ndarray]:
    ids = np.random.default_rng(0).integers(5, 300, (8, 11))
    mask = np.ones_like(ids)
    mask[::2, 7:] = 0
    return ids, mask


@pytest.mark.parametrize("asked", [0, 3, 8])
def test_the_unsure_are_the_whole_model_s(asked: int, graphs: tuple[Path, Path, Path], tmp_path: Path) -> None:
    small, _, whole = graphs
    ids, mask = _batch()
    small_logits = _logits(small, ids, mask)
    places = np.sort([0.0, *_sure(small_logits), 2.0])
    threshold = float(places[asked : asked + 2].mean())
    models = (onnx.load(folder / "model.onnx") for folder in (small, whole))
    onnx.save(join(*models, threshold), tmp_path / "model.onnx")
    joined = _logits(tmp_path, ids, mask)
    unsure = _sure(small_logits) < threshold
    assert unsure.sum() == asked
    np.testing.assert_array_equal(joined[~unsure], small_logits[~unsure])
    if asked:
        np.testing.assert_allclose(joined[unsure], _logits(whole, ids[unsure], mask[unsure]), atol=1e-6)


@pytest.mark.slow
def test_the_share_is_that_of_the_validation_texts(
    graphs: tuple[Path, Path, Path], bert: Path, texts: Path, tmp_path: Path
) -> None:
    small, other, _ = graphs
    settings: dict[str, Any] = {"step": "cascade", "share": 0.25}
    made, notes = apply_step(tmp_path / "c", small, texts, bert, teacher=other, **settings)
    validation_texts = [example.text for example in read_split(texts, "validation")]
    logits = [_logits(small, call["input_ids"], call["attention_mask"]) for call in encode(validation_texts, bert, 128)]
    assert (_sure(np.concatenate(logits)) < notes["threshold"]).mean() == pytest.approx(0.25, abs=0.02)
    assert (notes["texts"], notes["split"]) == (60, "validation")
    assert [path.name for path in made.iterdir()] == ["model.onnx"]
    again, _ = apply_step(tmp_path / "a", small, texts, bert, teacher=other, **settings)
    assert folder_sha256(made) == folder_sha256(again)


def test_what_it_computes_in_is_told(graphs: tuple[Path, Path, Path], bert: Path, texts: Path, tmp_path: Path) -> None:
    small, other, _ = graphs
    rounded, _ = apply_step(tmp_path / "r", small, texts, step="onnx-dynamic-int8", reduce_range=True)
    made, _ = apply_step(tmp_path / "c", rounded, texts, bert, teacher=other, step="cascade", share=0.9)
    engine = Engine(made, 1)
    assert engine.precision(engine.prepare(*_batch())) == "int8"
    assert int8_weight_bits(rounded, "int8") == 7
    assert int8_weight_bits(made, "int8") == 8  # the products of the whole model, which are in a branch of the graph


def test_without_validation_texts_others_are_taken(
    graphs: tuple[Path, Path, Path], bert: Path, unlabelled: Path, tmp_path: Path
) -> None:
    small, other, _ = graphs
    _, notes = apply_step(tmp_path / "c", small, unlabelled, bert, teacher=other, step="cascade")
    assert (notes["texts"], notes["split"]) == (2, "test")


def test_it_may_come_last_after_any_graph() -> None:
    for steps in (["onnx-export"], ["onnx-export", "onnx-dynamic-int8"], ["quantization-aware-training"]):
        check_chain(make_chain([{"step": name} for name in [*steps, "cascade"]], "test"), "onnx", "test")
    backwards = make_chain([{"step": name} for name in ("onnx-export", "cascade", "onnx-dynamic-int8")], "test")
    with pytest.raises(UserError, match="step 'onnx-dynamic-int8' cannot come after 'cascade'"):
        check_chain(backwards, "onnx", "test")


def test_another_tokenizer_is_refused(graphs: tuple[Path, Path, Path], bert: Path, texts: Path, tmp_path: Path) -> None:
    small, other, _ = graphs
    changed = tmp_path / "other"
    shutil.copytree(other, changed)
    (changed / "tokenizer.json").write_text((other / "tokenizer.json").read_text() + " ")
    with pytest.raises(UserError, match="step 'cascade': the two models have different tokenizers"):
        apply_step(tmp_path / "c", small, texts, bert, teacher=changed, step="cascade")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("share", 0.0, "share is 0, but must be above 0 and below 1"),
        ("share", 1.0, "share is 1, but must be above 0 and below 1"),
        ("max_length", 2, "max_length is 2, but must be at least 3"),
    ],
)
def test_bad_values_are_refused(key: str, value: object, message: str) -> None:
    with pytest.raises(UserError, match=f"step 'cascade': {message}"):
        make_step({"step": "cascade", key: value}, "test")
