"""Models that tag words have logits for every token in every format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForTokenClassification

from runner.config.task_kinds import TOKENS
from runner.engines.checkpoint import load_checkpoint
from runner.errors import UserError
from runner.models.flops import count_flops
from runner.tasks.texts import Example, Texts, read_split, write_texts
from tests.techniques.conftest import apply_step, random_logits, save_random
from tests.techniques.onnx_models import logits

TAGS = ["B-PER", "I-PER", "O"]


@pytest.fixture(scope="module")
def tagged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tagged")
    words = [("Ada", "Lovelace", "wrote"), ("rain", "on", "the", "river")]
    texts = [
        Example(" ".join(each), tuple(range(3))[: len(each)] + (2,) * (len(each) - 3), words=each) for each in words
    ]
    write_texts(Texts(TAGS, texts, [], texts, kind=TOKENS), folder)
    return folder


@pytest.fixture(scope="module")
def model(tagged: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_random(tmp_path_factory.mktemp("tagger") / "model", tagged, "bert")


def test_words_survive_writing_and_reading(tagged: Path) -> None:
    first = read_split(tagged, "test")[0]
    assert (first.words, first.label, first.text) == (("Ada", "Lovelace", "wrote"), (0, 1, 2), "Ada Lovelace wrote")
    assert first.tokenizer_input == first.words


def test_each_token_has_logits_as_transformers_computes_them(model: Path) -> None:
    loaded = load_checkpoint(model)
    assert json.loads((model / "config.json").read_text())["architectures"] == ["BertForTokenClassification"]
    expected = random_logits(AutoModelForTokenClassification.from_pretrained(model).eval())
    assert expected.shape == (3, 11, 3)
    torch.testing.assert_close(random_logits(loaded), expected, atol=1e-5, rtol=0)


def test_graphs_give_the_same_logits_also_in_int8(model: Path, tagged: Path, tmp_path: Path) -> None:
    graph, _ = apply_step(tmp_path / "graph", model, tagged, step="onnx-export")
    int8, _ = apply_step(tmp_path / "int8", graph, tagged, step="onnx-dynamic-int8")
    expected = random_logits(load_checkpoint(model)).numpy()
    ids = torch.randint(5, 300, (3, 11), generator=torch.Generator().manual_seed(0)).numpy()
    mask = np.ones_like(ids)
    mask[1, 6:] = 0
    for folder, tolerance in ((graph, 1e-5), (int8, 0.2)):
        np.testing.assert_allclose(logits(folder, ids, mask), expected, atol=tolerance)


@pytest.mark.parametrize("step", ["torchscript", "openvino-export", "torch-dynamic-int8", "bfloat16"])
def test_exports_give_the_same_logits(step: str, model: Path, tagged: Path, tmp_path: Path) -> None:
    _, notes = apply_step(tmp_path / "made", model, tagged, step=step)
    assert notes["largest_logit_difference"] < 0.1


@pytest.mark.parametrize(
    "entry",
    [
        {"step": "head-pruning", "fraction": 0.5},
        {"step": "ffn-pruning", "fraction": 0.5},
        {"step": "layer-pruning", "keep": 1},
        {"step": "low-rank", "rank": 8},
    ],
)
def test_what_makes_it_smaller_keeps_the_head(entry: dict[str, Any], model: Path, tagged: Path, tmp_path: Path) -> None:
    made, _ = apply_step(tmp_path / "made", model, tagged, **entry)
    assert random_logits(load_checkpoint(made)).shape == (3, 11, 3)


def test_its_head_meets_every_token(model: Path) -> None:
    flops = count_flops(model)
    assert flops is not None
    assert flops.per_example == 0


def test_a_tagger_is_imported_with_tags_in_the_order_of_the_task(model: Path, tagged: Path, tmp_path: Path) -> None:
    config = json.loads((model / "config.json").read_text())
    source = tmp_path / "source"
    source.mkdir()
    for path in model.iterdir():
        (source / path.name).write_bytes(path.read_bytes())
    names = ["O", "B-PER", "I-PER"]
    (source / "config.json").write_text(
        json.dumps(config | {"id2label": dict(enumerate(names)), "label2id": {n: i for i, n in enumerate(names)}})
    )
    made, notes = apply_step(tmp_path / "made", source, tagged, step="import-checkpoint")
    assert notes["labels"] == TAGS
    expected = random_logits(load_checkpoint(model))[..., [1, 2, 0]]
    torch.testing.assert_close(random_logits(load_checkpoint(made)), expected, atol=1e-5, rtol=0)


def test_a_head_for_something_else_is_refused(
    model: Path, tagged: Path, texts: Path, bert: Path, tmp_path: Path
) -> None:
    with pytest.raises(
        UserError,
        match=r"those of a BertForSequenceClassification, which is for whole texts.*needs a …ForTokenClassification",
    ):
        apply_step(tmp_path / "one", bert, tagged, step="import-checkpoint")
    with pytest.raises(UserError, match=r"those of a BertForTokenClassification, which is for a task of kind tokens"):
        apply_step(tmp_path / "other", model, texts, step="import-checkpoint")
