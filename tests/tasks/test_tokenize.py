"""Texts are written as batches of token ids for a trial, and read back by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from runner.trial.inputs import load_inputs, pad_token_id
from runner.trial.tokenize import tokenize

TEXTS = ["a", "a b c", "b b b b b b b b b b", "c"]
SETTINGS: dict[str, Any] = {
    "batch_size": 2,
    "padding": "longest",
    "max_length": 8,
    "pad_token_id": 9,
    "positions": 64,
    "model_type": "bert",
    "token_types": False,
    "words": False,
}


@pytest.fixture
def tokenizer() -> Tokenizer:
    made = Tokenizer(WordLevel({"[CLS]": 0, "[SEP]": 1, "a": 2, "b": 3, "c": 4}, unk_token="c"))
    made.pre_tokenizer = Whitespace()
    made.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 0), ("[SEP]", 1)])
    return made


def through_a_file(arrays: dict[str, np.ndarray], folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    np.savez(folder / "inputs.npz", **arrays)
    return load_inputs(folder / "inputs.npz")


def test_batches_are_padded_to_their_longest(tokenizer: Tokenizer, tmp_path: Path) -> None:
    (ids, mask), (long_ids, long_mask) = through_a_file(tokenize(TEXTS, tokenizer, SETTINGS), tmp_path)
    assert ids.tolist() == [[0, 2, 1, 9, 9], [0, 2, 3, 4, 1]]
    assert mask.tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    assert long_ids.shape == (2, 8)  # cut at max_length
    assert long_mask.sum(axis=1).tolist() == [8, 3]
    assert ids.dtype == mask.dtype == np.int64


def test_batches_are_padded_to_max_length(tokenizer: Tokenizer, tmp_path: Path) -> None:
    batches = through_a_file(tokenize(TEXTS, tokenizer, SETTINGS | {"padding": "max_length"}), tmp_path)
    assert {ids.shape for ids, _ in batches} == {(2, 8)}


@pytest.mark.parametrize(("bucket", "lengths"), [(1, [5, 8]), (2, [6, 8]), (5, [5, 8]), (8, [8, 8]), (16, [8, 8])])
def test_batches_are_padded_to_the_next_multiple_of_a_bucket(
    tokenizer: Tokenizer, tmp_path: Path, bucket: int, lengths: list[int]
) -> None:
    settings = SETTINGS | {"padding": "bucketed", "bucket": bucket}
    batches = through_a_file(tokenize(TEXTS, tokenizer, settings), tmp_path)
    assert [ids.shape[1] for ids, _ in batches] == lengths
    assert [mask.sum(axis=1).tolist() for _, mask in batches] == [[3, 5], [8, 3]]


def test_the_padding_id_is_kept(tokenizer: Tokenizer, tmp_path: Path) -> None:
    np.savez(tmp_path / "inputs.npz", **tokenize(TEXTS, tokenizer, SETTINGS))
    assert pad_token_id(tmp_path / "inputs.npz") == 9


def test_the_last_batch_may_be_short(tokenizer: Tokenizer, tmp_path: Path) -> None:
    batches = through_a_file(tokenize(TEXTS, tokenizer, SETTINGS | {"batch_size": 3}), tmp_path)
    assert [len(ids) for ids, _ in batches] == [3, 1]


def test_only_the_first_batches_are_read_when_asked(tokenizer: Tokenizer, tmp_path: Path) -> None:
    np.savez(tmp_path / "inputs.npz", **tokenize(TEXTS, tokenizer, SETTINGS))
    assert len(load_inputs(tmp_path / "inputs.npz", 1)) == 1


@pytest.mark.parametrize(("model_type", "limit"), [("bert", 512), ("roberta", 502)])
def test_a_length_beyond_the_model_s_positions_is_refused(tokenizer: Tokenizer, model_type: str, limit: int) -> None:
    settings = SETTINGS | {"positions": 512, "model_type": model_type}
    tokenize(TEXTS, tokenizer, settings | {"max_length": limit})
    with pytest.raises(ValueError, match=f"max_length is {limit + 1}, but the model has {limit} positions"):
        tokenize(TEXTS, tokenizer, settings | {"max_length": limit + 1})
