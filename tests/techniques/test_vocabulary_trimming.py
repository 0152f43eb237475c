"""Known texts give the same tokens and logits as before, and all other texts can still be tokenized."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from runner.engines.checkpoint import load_checkpoint
from runner.errors import UserError
from runner.store.artifacts import folder_sha256
from runner.tasks.texts import Example, Texts, write_texts
from tests.techniques.conftest import apply_step, save_random

TRAINING = ["word1 a lovely table", "an awful word2 chair, word1", "great! horrid?"]
KINDS = ["bert", "roberta", "mpnet", "wordpiece", "unigram"]
WORDS = ["lovely", "table", "words", "🎉", "été", "猫", "x", "чай", "\x00", "[SEP]"]
ANY_TEXT = st.one_of(st.text(), st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join))


def _word_piece() -> Tokenizer:
    """Return a tokenizer like BERT's, with special tokens after unused places."""
    words = [example.text for example in _words()]
    letters = "abcdefghijklmnopqrstuvwxyz0123456789!?,é"
    tokens = ["[PAD]", *(f"[unused{number}]" for number in range(9)), "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokens += [*letters, *(f"##{letter}" for letter in letters), *words, "lov", "##ely", "tab", "##le", "wo", "##rds"]
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys(tokens))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    ends = [(token, vocabulary[token]) for token in ("[SEP]", "[CLS]")]
    tokenizer.post_processor = processors.BertProcessing(*ends)
    return tokenizer


def _unigram() -> Tokenizer:
    """Return a tokenizer like XLM-R's, with words, their parts and their likelihoods."""
    letters = "▁abcdefghijklmnopqrstuvwxyz0123456789!?,é"
    parts = ["▁lov", "ely", "▁tab", "le", "▁wo", "rds", "seen"]
    special = ["<pad>", "<unk>", "[CLS]", "[SEP]"]
    pieces = [(token, 0.0) for token in special] + [(f"▁{example.text}", -4.0) for example in _words()]
    pieces += [(part, -6.0) for part in parts] + [(letter, -9.0 - index / 10) for index, letter in enumerate(letters)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=1))
    tokenizer.add_special_tokens(special)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


def _words() -> list[Example]:
    words = {word.strip("!?,") for text in TRAINING for word in text.split()}
    return [Example(word, 0) for word in sorted(words - {"lovely", "table"})] + [Example("unseen", 1)]


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A task with few training texts."""
    folder = tmp_path_factory.mktemp("few")
    examples = [Example(text, number % 2) for number, text in enumerate(TRAINING)]
    write_texts(Texts(["bad", "good"], examples, examples, examples), folder)
    return folder


@pytest.fixture(scope="module", params=KINDS)
def pair(
    request: pytest.FixtureRequest, texts: Path, few: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """A checkpoint, and the same checkpoint with a trimmed vocabulary."""
    folder = tmp_path_factory.mktemp(request.param)
    make_tokenizer = {"wordpiece": _word_piece, "unigram": _unigram}.get(request.param)
    source = save_random(folder / "source", texts, "bert" if make_tokenizer else request.param)
    if make_tokenizer:
        make_tokenizer().save(str(source / "tokenizer.json"))
    return source, apply_step(folder / "trimmed", source, few, step="vocabulary-trimming")[0]


@cache
def _tokenizer(folder: Path) -> Tokenizer:
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def _logits(folder: Path, text: str) -> torch.Tensor:
    with torch.inference_mode():
        logits: torch.Tensor = load_checkpoint(folder)(torch.tensor([_tokenizer(folder).encode(text).ids])).logits
    return logits


def test_it_is_smaller(pair: tuple[Path, Path]) -> None:
    source, trimmed = pair
    before, after = (json.loads((folder / "config.json").read_text()) for folder in pair)
    assert after["vocab_size"] == _tokenizer(trimmed).get_vocab_size() < before["vocab_size"]
    assert (trimmed / "model.safetensors").stat().st_size < (source / "model.safetensors").stat().st_size
    assert load_checkpoint(trimmed).get_input_embeddings().weight.shape == (after["vocab_size"], 32)


@pytest.mark.parametrize("text", [*TRAINING, "table lovely", ""])
def test_known_texts_give_the_same_logits(text: str, pair: tuple[Path, Path]) -> None:
    source, trimmed = pair
    assert _tokenizer(trimmed).encode(text).tokens == _tokenizer(source).encode(text).tokens
    assert (_logits(trimmed, text) - _logits(source, text)).abs().max() < 1e-6  # the last bit depends on alignment


@pytest.mark.slow
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(text=ANY_TEXT)
def test_every_text_can_be_tokenized(text: str, pair: tuple[Path, Path]) -> None:
    source, trimmed = (_tokenizer(folder) for folder in pair)
    before, after = source.encode(text), trimmed.encode(text)
    assert (after.tokens[0], after.tokens[-1]) == (before.tokens[0], before.tokens[-1])
    unknown = trimmed.token_to_id("<unk>")  # a Unigram tokenizer gives the unknown characters themselves as tokens
    tokens = [(id, token) for id, token in zip(after.ids, after.tokens, strict=True) if id != unknown]
    assert all(trimmed.id_to_token(id) == token for id, token in tokens)
    if all(trimmed.token_to_id(token) is not None for token in before.tokens):
        assert after.tokens == before.tokens
    if (
        source.token_to_id("##a") is None and source.token_to_id("▁") is None
    ):  # the tokenizer has bytes, so nothing is ever lost
        assert trimmed.decode(after.ids) == source.decode(before.ids)


def test_unseen_words_are_spelled(pair: tuple[Path, Path]) -> None:
    tokens = _tokenizer(pair[1]).encode("unseen").tokens[1:-1]
    assert "".join(token.removeprefix("##") for token in tokens).removeprefix("▁") == "unseen"
    assert len(tokens) > 1


def test_a_script_that_is_not_known_stays_unknown(texts: Path, few: Path, tmp_path: Path) -> None:
    source = save_random(tmp_path / "s", texts, "bert")
    _word_piece().save(str(source / "tokenizer.json"))
    trimmed, _ = apply_step(tmp_path / "t", source, few, step="vocabulary-trimming")
    assert _tokenizer(trimmed).encode("猫 🎉 lovely").tokens == ["[CLS]", "[UNK]", "[UNK]", "lov", "##ely", "[SEP]"]


def test_rare_tokens_go_and_common_ones_stay(texts: Path, few: Path, tmp_path: Path) -> None:
    source = save_random(tmp_path / "s", texts, "bert")
    _word_piece().save(str(source / "tokenizer.json"))
    counts = {}
    for name, keys in {"all": {}, "often": {"min_count": 2}, "common": {"min_count": 2, "common": 85}}.items():
        folder, notes = apply_step(tmp_path / name, source, few, step="vocabulary-trimming", **keys)
        counts[name] = {token for token in ("word1", "awful", "an") if _tokenizer(folder).token_to_id(token)}
        assert notes["tokens"] == _tokenizer(folder).get_vocab_size()
        assert notes["texts"] == "train"
    assert counts == {"all": {"word1", "awful", "an"}, "often": {"word1"}, "common": {"word1", "awful", "an"}}


def test_the_same_bytes_twice(bert: Path, few: Path, tmp_path: Path) -> None:
    folders = [apply_step(tmp_path / name, bert, few, step="vocabulary-trimming")[0] for name in "ab"]
    assert folder_sha256(folders[0]) == folder_sha256(folders[1])


def test_a_task_without_training_texts_takes_its_texts(bert: Path, unlabelled: Path, tmp_path: Path) -> None:
    folder, notes = apply_step(tmp_path / "t", bert, unlabelled, step="vocabulary-trimming")
    assert notes["texts"] == "test"
    assert (_logits(folder, "one text") - _logits(bert, "one text")).abs().max() < 1e-6


def test_another_kind_of_tokenizer_is_refused(bert: Path, few: Path, tmp_path: Path) -> None:
    source = shutil.copytree(bert, tmp_path / "s")
    Tokenizer(models.WordLevel({"<unk>": 0, "a": 1}, unk_token="<unk>")).save(str(source / "tokenizer.json"))
    with pytest.raises(UserError, match=r"knows WordPiece, BPE, Unigram tokenizers, but the model's is WordLevel"):
        apply_step(tmp_path / "t", source, few, step="vocabulary-trimming")


def test_a_tokenizer_of_another_model_is_refused(bert: Path, few: Path, tmp_path: Path) -> None:
    source = shutil.copytree(bert, tmp_path / "s")
    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    tokenizer.add_tokens([f"more{number}" for number in range(600)])
    tokenizer.save(str(source / "tokenizer.json"))
    with pytest.raises(UserError, match=r"the tokenizer has a token \d+, but the model has embeddings for only 600"):
        apply_step(tmp_path / "t", source, few, step="vocabulary-trimming")


@pytest.mark.parametrize(("key", "value"), [("min_count", 0), ("common", -1)])
def test_bad_settings_are_refused(key: str, value: int, bert: Path, few: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"{key} is {value}, but must be at least"):
        apply_step(tmp_path / "t", bert, few, step="vocabulary-trimming", **{key: value})
