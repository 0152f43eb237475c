"""A model's tokenizer gives the tokens of transformers, or the model is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

from runner.config.task_kinds import SINGLE_LABEL, TOKENS
from runner.errors import UserError
from runner.tasks.texts import Example, Texts, read_split, write_texts
from runner.tasks.tokenizer import load_tokenizer
from runner.techniques.importing.model_tokenizer import check_tokenizer_files, import_tokenizer
from tests.techniques.conftest import apply_step

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["a", "lovely", "day", "Lovely", "café", "cafe", "Ada", "ada", "<new>", "in", "##g"]
LONG = "a lovely day in " * 40 + "Ada"
LABELS = ["no", "yes"]


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    return _texts(tmp_path / "texts", ["a Lovely day", "Ada in café", LONG])


def _texts(folder: Path, texts: list[Any], kind: str = SINGLE_LABEL) -> Path:
    folder.mkdir()
    if kind == TOKENS:
        examples = [Example(" ".join(words), tuple(0 for _ in words), words=tuple(words)) for words in texts]
    else:
        examples = [Example(*((text, 0) if isinstance(text, str) else (text[0], 0, text[1]))) for text in texts]
    write_texts(Texts(LABELS, [], [], examples, kind=kind), folder)
    return folder


def _word_piece(lower: bool = True) -> Tokenizer:
    made = Tokenizer(models.WordPiece({word: id for id, word in enumerate(SPECIAL + WORDS)}, unk_token="[UNK]"))
    made.add_special_tokens(SPECIAL)
    made.normalizer = normalizers.BertNormalizer(lowercase=lower)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return made


def _files(folder: Path, lower: bool = True, config: dict[str, Any] | None = None, **changes: Any) -> Path:
    """Write a tiny BERT whose tokenizer.json lower-cases or not; `config` is its tokenizer's, None for none."""
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    labels = {"id2label": dict(enumerate(LABELS)), "label2id": {name: index for index, name in enumerate(LABELS)}}
    model = BertForSequenceClassification(BertConfig(vocab_size=16, max_position_embeddings=64, **sizes, **labels))
    model.save_pretrained(folder)
    written = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(written))
    _word_piece(lower).save(str(folder / "tokenizer.json"))
    if config is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"} | config))
    return folder


def _imported(source: Path, texts: Path, tmp_path: Path) -> Path:
    return apply_step(tmp_path / "imported", source, texts, step="import-checkpoint")[0]


@pytest.mark.parametrize(
    "config",
    [
        {"do_lower_case": False},
        {"strip_accents": False},
        {"truncation_side": "left"},
        {"additional_special_tokens": ["<new>"]},
        {"added_tokens_decoder": {"9": {"content": "café", "special": False, "normalized": False, "lstrip": True}}},
    ],
    ids=str,
)
@pytest.mark.parametrize("max_length", [8, 64])
def test_the_config_is_followed(config: dict[str, Any], max_length: int, texts: Path, tmp_path: Path) -> None:
    source = _files(tmp_path / "model", config=config)
    original = AutoTokenizer.from_pretrained(source)
    kept = load_tokenizer(_imported(source, texts, tmp_path), max_length)
    for example in read_split(texts, "test"):
        assert (
            kept.encode(example.text).ids == original(example.text, truncation=True, max_length=max_length)["input_ids"]
        )


def test_pairs_are_cut_on_the_side_of_the_model(tmp_path: Path) -> None:
    texts = _texts(tmp_path / "texts", [("Ada " + LONG, "a day"), ("a day", LONG)])
    source = _files(tmp_path / "model", config={"truncation_side": "left"})
    original = AutoTokenizer.from_pretrained(source)
    made = _imported(source, texts, tmp_path)
    assert json.loads((made / "config.json").read_text())["takes_token_types"]
    for example in read_split(texts, "test"):
        encoding = load_tokenizer(made, 12).encode(example.text, example.pair)
        expected = original(example.text, example.pair, truncation=True, max_length=12)
        assert (encoding.ids, encoding.type_ids) == (expected["input_ids"], expected["token_type_ids"])


def test_a_model_whose_tokenizer_gives_no_types_is_given_none(tmp_path: Path) -> None:
    texts = _texts(tmp_path / "texts", [("a day", "in Ada")])
    source = _files(tmp_path / "model", config={"model_input_names": ["input_ids", "attention_mask"]})
    assert "takes_token_types" not in json.loads((_imported(source, texts, tmp_path) / "config.json").read_text())


def test_without_a_config_a_guess_that_differs_is_refused(texts: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UserError,
        match=r"tokenizer\.json and transformers \(BertTokenizer\) disagree on 'a Lovely day', cut to 8 tokens: "
        r"tokens \[CLS\] a Lovely day \[SEP\] against \[CLS\] a lovely day \[SEP\]\. "
        r"Set do_lower_case, strip_accents and the like in a tokenizer_config\.json",
    ):
        _imported(_files(tmp_path / "model", lower=False), texts, tmp_path)


def test_without_a_config_the_file_is_kept_byte_for_byte(texts: Path, tmp_path: Path) -> None:
    source = _files(tmp_path / "model")
    assert (_imported(source, texts, tmp_path) / "tokenizer.json").read_bytes() == (
        source / "tokenizer.json"
    ).read_bytes()


def test_a_checkpoint_is_the_same_for_autotokenizer(texts: Path, tmp_path: Path) -> None:
    source = _files(tmp_path / "model", config={"do_lower_case": False, "truncation_side": "left"})
    before, after = (AutoTokenizer.from_pretrained(folder) for folder in (source, _imported(source, texts, tmp_path)))
    for text in ("Ada in café", LONG):
        expected, ids = (tokenizer(text, truncation=True, max_length=9)["input_ids"] for tokenizer in (before, after))
        assert ids == expected
    assert after.pad_token == "[PAD]"


def test_a_missing_padding_token_is_the_tokenizers(texts: Path, tmp_path: Path) -> None:
    made = _imported(_files(tmp_path / "model", config={}, pad_token_id=None), texts, tmp_path)
    assert json.loads((made / "config.json").read_text())["pad_token_id"] == 0


def test_without_any_padding_token_it_is_refused(texts: Path, tmp_path: Path) -> None:
    config = {"tokenizer_class": "PreTrainedTokenizerFast"}
    source = _files(tmp_path / "model", config=config, pad_token_id=None)
    with pytest.raises(UserError, match=r"neither config\.json nor the tokenizer names .* Set pad_token_id in config"):
        _imported(source, texts, tmp_path)


def test_tokens_that_the_model_has_no_embeddings_for_are_refused(texts: Path, tmp_path: Path) -> None:
    source = _files(tmp_path / "model", config={"additional_special_tokens": ["Lovely d"]})
    with pytest.raises(UserError, match=r"the token 'Lovely d', number 16, but the model has .* 16 tokens"):
        _imported(source, texts, tmp_path)


def test_words_that_run_together_are_refused(tmp_path: Path) -> None:
    texts = _texts(tmp_path / "texts", [["Ada", "in"]], TOKENS)
    source, target = tmp_path / "model", tmp_path / "target"
    target.mkdir()
    _files(source)
    vocabulary = {letter: id for id, letter in enumerate(["<s>", "<pad>", "</s>", "<unk>", *"AdainĠ"])}
    made = Tokenizer(models.BPE({**vocabulary}, [], unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.save(str(source / "tokenizer.json"))
    config = BertConfig(vocab_size=16, pad_token_id=1)
    (source / "tokenizer_config.json").write_text('{"tokenizer_class": "RobertaTokenizer"}')
    with pytest.raises(UserError, match=r"a RobertaTokenizer without add_prefix_space runs them together"):
        import_tokenizer(source, target, texts, config)
    (source / "tokenizer_config.json").write_text('{"tokenizer_class": "RobertaTokenizer", "add_prefix_space": true}')
    import_tokenizer(source, target, texts, config)
    assert "Ġ" in load_tokenizer(target).encode(["Ada", "in"], is_pretokenized=True).tokens[1:]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, r"no tokenizer\.json and no vocabulary"),
        ({"spm.model": ""}, r"spm\.model alone\. .* needs the package sentencepiece.*save_pretrained"),
        ({"vocab.txt": "", "tokenizer_config.json": '{"truncation_side": "up"}'}, r"truncation_side is 'up'"),
        ({"vocab.txt": "", "tokenizer_config.json": '{"split_special_tokens": true}'}, r"split_special_tokens is true"),
    ],
)
def test_what_the_files_tell_is_refused_without_loading_them(
    files: dict[str, str], message: str, tmp_path: Path
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=message):
        check_tokenizer_files(tmp_path)
