"""Random models have the requested shape, a tokenizer that fits it, and the same bytes for the same seed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from runner.engines.checkpoint import load_checkpoint
from runner.errors import UserError
from runner.store.artifacts import folder_sha256
from tests.techniques.conftest import CHECKPOINT, apply_step, save_random


@pytest.mark.parametrize(
    ("model_type", "ends"), [("bert", ("[CLS]", "[SEP]")), ("roberta", ("<s>", "</s>")), ("mpnet", ("<s>", "</s>"))]
)
def test_the_tokenizer_fits_the_config(model_type: str, ends: tuple[str, str], texts: Path, tmp_path: Path) -> None:
    folder = save_random(tmp_path / "m", texts, model_type)
    assert {path.name for path in folder.iterdir()} == CHECKPOINT
    config = json.loads((folder / "config.json").read_text())
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    encoding = tokenizer.encode("a lovely café 🎉 \x00")
    assert (encoding.tokens[0], encoding.tokens[-1]) == ends
    assert tokenizer.id_to_token(config["pad_token_id"]) in ("[PAD]", "<pad>")
    assert "[UNK]" not in encoding.tokens
    assert "<unk>" not in encoding.tokens
    assert tokenizer.get_vocab_size() <= config["vocab_size"]
    if model_type != "bert":
        assert tokenizer.id_to_token(config["bos_token_id"]) == "<s>"
        assert tokenizer.id_to_token(config["eos_token_id"]) == "</s>"


def test_the_seed_decides(texts: Path, tmp_path: Path) -> None:
    contents = [
        folder_sha256(save_random(tmp_path / str(number), texts, "bert", seed)) for number, seed in enumerate((1, 1, 2))
    ]
    assert contents[0] == contents[1] != contents[2]


def test_labels_are_the_tasks(texts: Path, unlabelled: Path, tmp_path: Path) -> None:
    assert load_checkpoint(save_random(tmp_path / "a", texts, "bert")).config.id2label[2] == "positive"
    assert load_checkpoint(save_random(tmp_path / "b", unlabelled, "bert")).config.num_labels == 2


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({}, r"shape\.model_type is None\. Allowed: albert, bert, .*, xlm-roberta"),
        ({"model_type": "robreta"}, r"shape\.model_type is 'robreta'\. Did you mean 'roberta'"),
        ({"model_type": "bert", "hiden_size": 32}, r"shape has no field 'hiden_size'\. Did you mean 'hidden_size'"),
        ({"model_type": "bert", "hidden_size": 30}, r"hidden_size 30 is not a multiple of .*num_attention_heads 12"),
        ({"model_type": "bert", "vocab_size": 100}, r"shape\.vocab_size is 100, but must be at least 261"),
    ],
)
def test_a_bad_shape_is_refused(shape: dict[str, Any], message: str, texts: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        apply_step(tmp_path / "m", None, texts, step="random-weights", shape=shape)
