"""An encoder makes the same inputs, call by call, as were tokenized at once for the evaluation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import BertProcessing

from runner.tasks.tokenizer import load_tokenizer
from runner.trial.encoder import SETTINGS, TEXTS, Encoder, Text, in_calls, read_texts
from runner.trial.inputs import load_inputs
from runner.trial.tokenize import tokenize

PLAIN: dict[str, Any] = {
    "batch_size": 2,
    "padding": "longest",
    "bucket": None,
    "max_length": 6,
    "pad_token_id": 7,
    "positions": None,
    "model_type": "bert",
    "token_types": True,
    "words": False,
}


def a_folder(folder: Path, texts: list[Text], settings: dict[str, Any]) -> Path:
    """Write a tokenizer that cuts on the left, the settings, the texts and the inputs."""
    tokenizer = Tokenizer(WordLevel({"[CLS]": 1, "[SEP]": 2, "a": 3, "b": 4, "?": 5}, unk_token="?"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.post_processor = BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    tokenizer.enable_truncation(100, direction="left")
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / SETTINGS).write_text(json.dumps(settings))
    (folder / TEXTS).write_text(json.dumps(texts))
    np.savez(folder / "inputs.npz", **tokenize(texts, load_tokenizer(folder), settings))
    return folder


@pytest.mark.parametrize(
    ("texts", "changes"),
    [
        (["a b", "b", "a a a a b b b b", "", "ä"], {}),
        (["a b", "b", "a a a a b b b b", "", "ä"], {"batch_size": 1}),
        (["a b", "b", "a a a a b b b b"], {"padding": "bucketed", "bucket": 4}),
        (["a b", "b", "a"], {"padding": "max_length", "token_types": False}),
        ([("a b", "b"), ("a", "b b b b b b"), ("b", "a")], {}),
        ([("a", "b"), ("zero\u200bwidth", "a", "b"), ("a",)], {"words": True, "token_types": False}),
    ],
)
def test_calls_get_the_inputs_that_were_evaluated(tmp_path: Path, texts: list[Text], changes: dict[str, Any]) -> None:
    settings = PLAIN | changes
    folder = a_folder(tmp_path, texts, settings)
    assert read_texts(folder) == texts
    encoder = Encoder(folder, lambda *inputs: inputs)
    expected = load_inputs(folder / "inputs.npz")
    calls = in_calls(read_texts(folder), settings["batch_size"])
    assert len(calls) == len(expected)
    for call, inputs in zip(calls, expected, strict=True):
        found = encoder.encode(call)
        assert len(found) == len(inputs)
        for own, other in zip(found, inputs, strict=True):
            assert own.dtype == other.dtype == np.int64
            np.testing.assert_array_equal(own, other)
