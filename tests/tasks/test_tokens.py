"""Texts can be lists of words with a tag each, as in data sets of named entities on the hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from runner.config.task import TaskConfig
from runner.config.task_kinds import TOKENS
from runner.errors import UserError
from runner.tasks.source import load_texts
from runner.tasks.texts import Example, Texts, read_split, write_texts
from runner.trial.tokenize import remarks_on_words, tokenize

ROWS: list[dict[str, Any]] = [
    {"tokens": ["Ada", "wrote"], "tags": ["B-PER", "O"], "split": "train"},
    {"tokens": ["rain"], "tags": ["O"], "split": "test"},
]


def _load(file: Path, **keys: Any) -> Texts:
    columns = {"text_column": "tokens", "label_column": "tags"} | keys
    return load_texts(TaskConfig(name="t", source="file", path=str(file), kind=TOKENS, **columns), file.parent)


def _jsonl(folder: Path, rows: list[dict[str, Any]]) -> Path:
    (folder / "texts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "texts.jsonl"


def test_json_lines_and_parquet_are_read_alike(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "texts.parquet")
    loaded = [_load(file) for file in (_jsonl(tmp_path, ROWS), tmp_path / "texts.parquet")]
    assert loaded[0] == loaded[1]
    assert (loaded[0].labels, loaded[0].kind) == (["B-PER", "O"], TOKENS)
    assert loaded[0].train == [Example("Ada wrote", (0, 1), words=("Ada", "wrote"))]
    write_texts(loaded[0], tmp_path)
    assert read_split(tmp_path, "train") == loaded[0].train


def test_tags_that_are_numbers_have_the_names_of_the_data_set(tmp_path: Path) -> None:
    rows = [{"tokens": row["tokens"], "tags": [{"O": 0, "B-PER": 1}[tag] for tag in row["tags"]]} for row in ROWS]
    tags = {"feature": {"names": ["O", "B-PER"], "_type": "ClassLabel"}, "_type": "List"}
    noted = {"huggingface": json.dumps({"info": {"features": {"tags": tags}}})}
    table = pa.Table.from_pylist([row | {"split": "test"} for row in rows])
    pq.write_table(table.replace_schema_metadata(noted), tmp_path / "texts.parquet")
    loaded = _load(tmp_path / "texts.parquet")
    assert loaded.labels == ["O", "B-PER"]
    assert {example.label for example in loaded.test} == {(1, 0), (0,)}


def test_without_tags_there_is_only_agreement(tmp_path: Path) -> None:
    loaded = _load(_jsonl(tmp_path, ROWS), label_column=None)
    assert (loaded.labels, loaded.kind) == ([], TOKENS)
    assert loaded.test == [Example("rain", None, words=("rain",))]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"tokens": "Ada wrote"}, "line 1: column 'tokens' holds 'Ada wrote', but .* must hold a list of words"),
        (
            {"tokens": ["Ada", " "]},
            "line 1: column 'tokens' holds .* must hold a list of words, none of which is empty",
        ),
        ({"tokens": []}, "line 1: column 'tokens' holds .* must hold a list of words"),
        ({"tags": "O"}, "line 1: column 'tags' holds 'O', but .* must hold a list of tags, one for each word"),
        ({"tags": ["O"]}, "line 1: column 'tokens' holds 2 words, but column 'tags' holds 1 tags"),
        ({"tags": ["O", None]}, "line 1: column 'tags' holds None, but a label must be"),
    ],
)
def test_what_is_no_tagged_text_is_refused(row: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        _load(_jsonl(tmp_path, [ROWS[0] | row, ROWS[1]]))


def test_pairs_of_tagged_texts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no model tags pairs of texts"):
        _load(_jsonl(tmp_path, ROWS), text_pair_column="tokens")


@pytest.fixture
def tokenizer() -> Tokenizer:
    """A tokenizer with two letters per token, between [CLS] and [SEP]."""
    letters = "abcdefgh"
    known = ["[PAD]", "[CLS]", "[SEP]", *letters, *(a + b for a in letters for b in letters)]
    merges = [(a, b) for a in letters for b in letters]
    made = Tokenizer(models.BPE({word: number for number, word in enumerate(known)}, merges))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return made


def test_the_first_token_of_each_word_is_known_and_what_was_cut_off(tokenizer: Tokenizer) -> None:
    settings = {"batch_size": 2, "padding": "longest", "max_length": 6, "pad_token_id": 0, "positions": 130}
    settings |= {"token_types": False, "words": False}
    texts = [("abcd", "ef", "gh", "ab"), ("a", "bcd")]
    tokenized = tokenize(texts, tokenizer, settings | {"model_type": "bert", "words": True})
    assert tokenized["shapes"].tolist() == [[2, 6]]
    starts = tokenized["word_starts"].reshape(2, 6).tolist()
    assert starts == [[0, 1, 0, 1, 1, 0], [0, 1, 1, 0, 0, 0]]
    assert tokenized["words"].tolist() == [True, True, True, False, True, True]
    assert np.isin(tokenized["input_ids"].reshape(2, 6)[0], [1, 2]).tolist() == [True, False, False, False, False, True]
    assert "word_starts" not in tokenize(["ab cd"], tokenizer, settings | {"model_type": "bert"})


def test_words_without_a_token_are_told(tokenizer: Tokenizer) -> None:
    tokenizer.normalizer = normalizers.BertNormalizer()
    texts = [("ab", "cd"), ("ef", "\u200b", "gh", "\u00ad")]
    examples = [Example(" ".join(words), (0,) * len(words), words=words) for words in texts]
    tokenizer.enable_truncation(3)  # a word that is cut off has a token
    assert remarks_on_words(examples, tokenizer) == [
        r"2 of 6 words in the test texts have no token (first: '\u200b' in 'ef \u200b gh \xad'): the model predicts "
        "nothing for them, and they count as wrong."
    ]
    (remark,) = remarks_on_words([example._replace(label=None) for example in examples], tokenizer)
    assert remark.endswith("the model predicts nothing for them.")
    assert remarks_on_words(examples[:1], tokenizer) == []
