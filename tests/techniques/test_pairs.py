"""If a model has token types, every step and engine gives them to it for pairs of texts."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from tokenizers import Tokenizer

from runner.engines.checkpoint import load_checkpoint
from runner.engines.onnxruntime import Engine
from runner.tasks.texts import Example, Texts, read_pairs, read_split, write_texts
from runner.techniques.onnx.onnx_static_int8 import calibration_texts, encode
from runner.techniques.training.batches import Batches
from runner.trial.tokenize import tokenize
from tests.techniques.conftest import apply_step, save_random

INPUTS = ["input_ids", "attention_mask", "token_type_ids"]


def _pairs(count: int, seed: int) -> list[Example]:
    """Make pairs whose label says whether both texts have the same topic."""
    generator, things = random.Random(seed), ["table", "horse", "river", "stone"]
    drawn = [(generator.choice(things), generator.choice(things)) for _ in range(count)]
    return [Example(f"there was a {a}", int(a == b), f"it is a {b}") for a, b in drawn]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    write_texts(Texts(["no", "yes"], _pairs(64, 1), _pairs(16, 2), _pairs(16, 3)), folder)
    return folder


@pytest.fixture(scope="module")
def model(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_random(tmp_path_factory.mktemp("pair") / "model", pairs, "bert")


@pytest.fixture(scope="module")
def graph(model: Path, pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return apply_step(tmp_path_factory.mktemp("graph") / "onnx", model, pairs, step="onnx-export")[0]


def _batch(model: Path, pairs: Path) -> list[np.ndarray]:
    examples, config = read_split(pairs, "test"), load_checkpoint(model).config
    batch = next(Batches(model, examples, 32, config).in_order(8))
    return [batch[name].numpy() for name in INPUTS]


def test_pairs_survive_writing_and_reading(pairs: Path) -> None:
    assert read_pairs(pairs)
    assert read_split(pairs, "test") == _pairs(16, 3)
    assert json.loads((pairs / "test.jsonl").read_text().splitlines()[0]).keys() == {"text", "label", "pair"}


def test_the_second_text_has_a_type_of_its_own_and_the_longer_one_is_cut(model: Path) -> None:
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    settings = {"batch_size": 1, "padding": "longest", "max_length": 9, "pad_token_id": 0, "positions": 130}
    settings |= {"model_type": "bert", "token_types": True, "words": False}
    arrays = tokenize([("it is a horse", "table " * 30)], tokenizer, settings)
    ids, types = arrays["input_ids"].tolist(), arrays["token_type_ids"].tolist()
    end = tokenizer.token_to_id("[SEP]")
    first = ids.index(end)
    assert (len(ids), ids.count(end)) == (9, 2)
    assert types == [0] * (first + 1) + [1] * (8 - first)
    assert len(tokenizer.encode("it is a horse", add_special_tokens=False).ids) >= first - 1 >= 3
    assert "token_type_ids" not in tokenize(["a"], tokenizer, settings | {"token_types": False})


def test_token_types_make_a_difference_and_the_engine_gets_them(model: Path, graph: Path, pairs: Path) -> None:
    batch = _batch(model, pairs)
    assert set(batch[2].ravel().tolist()) == {0, 1}
    engine = Engine(graph, 1)
    with_types, without = (
        engine.logits(engine.run(engine.prepare(*call))) for call in (batch, [*batch[:2], 0 * batch[2]])
    )
    with torch.inference_mode():
        expected = load_checkpoint(model)(*map(torch.from_numpy, batch)).logits
    np.testing.assert_allclose(with_types, expected, atol=1e-5)
    assert np.abs(with_types - without).max() > 1e-3


@pytest.mark.parametrize("step", ["torchscript", "openvino-export", "torch-dynamic-int8"])
def test_exports_are_compared_with_token_types(step: str, model: Path, pairs: Path, tmp_path: Path) -> None:
    """Each step compares its result with the checkpoint on the inputs that it takes."""
    _, notes = apply_step(tmp_path / "made", model, pairs, step=step)
    assert notes["largest_logit_difference"] < 0.3


@pytest.mark.parametrize("step", ["onnx-fusion", "onnx-dynamic-int8", "onnx-static-int8"])
def test_graphs_keep_their_three_inputs(step: str, model: Path, graph: Path, pairs: Path, tmp_path: Path) -> None:
    made, _ = apply_step(tmp_path / "made", graph, pairs, checkpoint=model, step=step)
    assert [end.name for end in onnx.load(made / "model.onnx").graph.input] == INPUTS


def test_calibration_is_on_pairs(model: Path, pairs: Path) -> None:
    _, texts = calibration_texts(pairs, 3)
    assert texts == [example.tokenizer_input for example in _pairs(64, 1)[:3]]
    (call, *_) = encode(texts, model, 32)
    assert list(call) == INPUTS
    assert call["token_type_ids"].max() == 1


def test_importance_and_training_read_pairs(model: Path, pairs: Path, tmp_path: Path) -> None:
    pruned, _ = apply_step(tmp_path / "pruned", model, pairs, step="head-pruning", criterion="importance", samples=8)
    apply_step(tmp_path / "tuned", pruned, pairs, step="fine-tune", epochs=1, max_length=32)
    distil = {"step": "distil", "epochs": 1, "max_length": 32, "masked_weight": 1.0}
    made, _ = apply_step(tmp_path / "distilled", pruned, pairs, teacher=model, **distil)
    assert json.loads((made / "config.json").read_text())["takes_token_types"]


def test_a_smaller_vocabulary_keeps_the_types(model: Path, pairs: Path, tmp_path: Path) -> None:
    made, _ = apply_step(tmp_path / "trimmed", model, pairs, step="vocabulary-trimming")
    before, after = (Tokenizer.from_file(str(folder / "tokenizer.json")) for folder in (model, made))
    for example in _pairs(16, 3):
        expected, other = before.encode(*example.tokenizer_input), after.encode(*example.tokenizer_input)
        assert (expected.tokens, expected.type_ids) == (other.tokens, other.type_ids)


def test_roberta_and_single_texts_need_no_types(texts: Path, pairs: Path, tmp_path: Path) -> None:
    for name, model_type, task in (("one", "roberta", pairs), ("two", "bert", texts)):
        made = save_random(tmp_path / name, task, model_type)
        assert "takes_token_types" not in json.loads((made / "config.json").read_text())
