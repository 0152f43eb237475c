"""Import a model's tokenizer: what AutoTokenizer of transformers makes of the model's files, as one tokenizer.json.

tokenizer.json alone is not the whole truth: tokenizer_config.json may change its casing, accents, spaces, added tokens
and the side that texts are cut on, and transformers follows it. What is kept is therefore taken from transformers, and
compared with it on the task's own texts.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from runner.config.task_kinds import TOKENS
from runner.errors import UserError
from runner.tasks.texts import Example, read_kind, read_split
from runner.tasks.tokenizer import TOKENIZER, load_tokenizer, save_tokenizer, truncation_side
from runner.techniques.training.pairs import note_token_types

CONFIG = "tokenizer_config.json"
_VOCABULARIES = ("vocab*", "*.model")  # of tokenizers that have no tokenizer.json
_FIRST, _LONGEST = 1000, 100  # test texts that are compared
_MAX_LENGTHS = (8, 32, 128, 512)  # tokens that they are cut to, as far as the model has positions
_SHOWN = 12  # tokens in a message
_NEED_A_SPACE = ("RobertaTokenizer", "GPT2Tokenizer", "BartTokenizer", "DebertaTokenizer", "LEDTokenizer")
_AS_IT_IS = f'{CONFIG} with {{"tokenizer_class": "PreTrainedTokenizerFast"}}, which takes {TOKENIZER} as it is'

Given = str | tuple[str, ...]


class _Tokens(NamedTuple):
    """What a text is for a model."""

    ids: list[int]
    types: list[int]
    mask: list[int]


def import_tokenizer(source: Path, target: Path, texts: Path, config: Any) -> None:
    """Write tokenizer.json, and note in the model's config what padding is and whether it is given token types.

    Args:
        source: the model's files.
        target: the folder of the checkpoint.
        texts: the task's folder, whose test texts are compared.
        config: of the model, to be saved.

    Raises:
        UserError: if there is no tokenizer, transformers cannot load it, or the kept one gives other tokens.
    """
    check_tokenizer_files(source)
    given = _sample(read_split(texts, "test"))
    of_words = read_kind(texts) == TOKENS
    own = _own_tokenizer(source, config)
    _keep(own, source, target)
    if own is None or "token_type_ids" in own.model_input_names:
        note_token_types(config, target, texts)
    if own is not None:
        _check_words(own, of_words)
        _compare(own, target, given, of_words, config)
    _check_ids(target, given, of_words, config)
    config.pad_token_id = _pad_token_id(own, source, config)


def check_tokenizer_files(folder: Path) -> None:
    """Check what is known of a model's tokenizer by the names of its files and by its JSON alone.

    Raises:
        UserError: if there is no tokenizer, or one that cannot be kept.
    """
    if not (folder / TOKENIZER).is_file():
        _check_vocabulary(folder)
    if not (folder / CONFIG).is_file():
        return
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    for key in ("truncation_side", "padding_side"):
        if config.get(key, "right") not in ("right", "left"):
            raise UserError(f"model: {CONFIG}: {key} is {config[key]!r:.50}, but must be 'right' or 'left'.")
    if config.get("split_special_tokens"):
        raise UserError(
            f"model: {CONFIG}: split_special_tokens is true, which {TOKENIZER} cannot keep, so what is handed over "
            "would not follow it. Set it to false; it matters only for texts in which special tokens are spelled out."
        )


def _check_vocabulary(folder: Path) -> None:
    """Check that the files hold a vocabulary, and that transformers can read it."""
    found = sorted(path.name for pattern in _VOCABULARIES for path in folder.glob(pattern))
    if not found:
        raise UserError(f"model: there is no {TOKENIZER} and no vocabulary. Add the tokenizer's files to the folder.")
    if all(name.endswith(".model") for name in found):
        raise UserError(
            f"model: the tokenizer is {found[0]} alone, and to read it transformers needs the package sentencepiece, "
            f"which is not part of Pinbox's environment. Make a {TOKENIZER} of it once, in another environment: "
            'pip install transformers sentencepiece protobuf, then python -c "from transformers import AutoTokenizer; '
            "AutoTokenizer.from_pretrained('FOLDER').save_pretrained('FOLDER')\", where FOLDER is the model's."
        )


def _own_tokenizer(source: Path, config: Any) -> Any:
    """Return the tokenizer that transformers makes of the files; None if they are nothing but a tokenizer.json."""
    from transformers import AutoTokenizer

    if not (source / "config.json").is_file() and not (source / CONFIG).is_file():
        return None  # transformers cannot load such a folder, so no class of its own says otherwise
    try:
        own = AutoTokenizer.from_pretrained(source, config=config, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # whatever its many classes raise about files that do not fit them
        raise UserError(
            f"model: transformers cannot load the tokenizer: {_first_line(error)}. Correct {CONFIG}, or write a "
            f"{_AS_IT_IS}."
        ) from None
    if not own.is_fast:
        raise UserError(
            f"model: the tokenizer is a {type(own).__name__}, which transformers has in Python alone: no {TOKENIZER} "
            "can be made of it. Take another model."
        )
    return own


def _keep(own: Any, source: Path, target: Path) -> None:
    """Write the tokenizer.json that is kept.

    Where a tokenizer.json lies alone, without a config of its own, it is kept as it is.
    """
    from tokenizers import Tokenizer

    alone = (source / TOKENIZER).is_file() and not (source / CONFIG).is_file()
    kept = Tokenizer.from_file(str(source / TOKENIZER)) if own is None or alone else own.backend_tokenizer
    side = truncation_side(kept) if own is None else own.truncation_side
    try:
        kept = Tokenizer.from_str(kept.to_str())  # a copy, so that what is compared with it stays as it is
    except Exception as error:  # of a part written in Python
        raise UserError(
            f"model: no {TOKENIZER} can be made of a {type(own).__name__}: {_first_line(error)}. Take another model."
        ) from None
    save_tokenizer(kept, side, target)


def _compare(own: Any, target: Path, given: Sequence[Given], of_words: bool, config: Any) -> None:
    """Check that texts have the same tokens by the kept tokenizer as by transformers, also where they are cut."""
    from runner.engines.checkpoint import TOKEN_TYPES

    for max_length in _lengths(config):
        ours = _kept_tokens(target, given, of_words, max_length)
        theirs = _own_tokens(own, given, of_words, max_length)
        for text, one, other in zip(given, ours, theirs, strict=True):
            if getattr(config, TOKEN_TYPES, False):
                same = one == other
            else:
                same = (one.ids, one.mask) == (other.ids, other.mask)
            if not same:
                raise UserError(_difference(own, target, text, one, other, max_length))


def _difference(own: Any, target: Path, text: Given, one: _Tokens, other: _Tokens, max_length: int) -> str:
    names = [load_tokenizer(target).id_to_token(index) for index in one.ids]
    expected = own.convert_ids_to_tokens(other.ids)
    what, ours, theirs = "tokens", _shown(names), _shown(expected)
    if names == expected:
        what, ours, theirs = "numbers of tokens", _shown([*one[:2]]), _shown([*other[:2]])
    return (
        f"model: {TOKENIZER} and transformers ({type(own).__name__}) disagree on {text!r:.80}, cut to {max_length} "
        f"tokens: {what} {ours} against {theirs}. Say in a {CONFIG} which is right: do_lower_case, strip_accents and "
        f"the like, as the model was trained; or write a {_AS_IT_IS}."
    )


def _shown(tokens: Sequence[Any]) -> str:
    return " ".join(map(str, tokens[:_SHOWN])) + (" …" if len(tokens) > _SHOWN else "")


def _kept_tokens(target: Path, given: Sequence[Given], of_words: bool, max_length: int | None) -> Iterator[_Tokens]:
    """Give each text's tokens as `runner.trial.tokenize` does."""
    tokenizer = load_tokenizer(target, max_length)
    for encoding in tokenizer.encode_batch(list(given), is_pretokenized=of_words):
        yield _Tokens(encoding.ids, encoding.type_ids, encoding.attention_mask)


def _own_tokens(own: Any, given: Sequence[Given], of_words: bool, max_length: int) -> Iterator[_Tokens]:
    """Give each text's tokens as a user of transformers has them."""
    pairs = not of_words and isinstance(given[0], tuple)
    columns = [list(column) for column in zip(*given, strict=True)] if pairs else [[*given]]
    if of_words:
        columns = [[list(words) for words in given]]
    encoded = own(
        *columns,
        is_split_into_words=of_words,
        truncation=True,
        max_length=max_length,
        return_token_type_ids=True,
        return_attention_mask=True,
    )
    rows = zip(encoded["input_ids"], encoded["token_type_ids"], encoded["attention_mask"], strict=True)
    return (_Tokens(*row) for row in rows)


def _check_words(own: Any, of_words: bool) -> None:
    """Check that words which come one by one keep the spaces between them."""
    if of_words and type(own).__name__ in _NEED_A_SPACE and not own.add_prefix_space:
        raise UserError(
            f"model: a {type(own).__name__} without add_prefix_space runs words together that come one by one, as "
            f"those of a task of kind {TOKENS} do, and transformers before version 5 refused it. If the model was "
            f"trained on words, set add_prefix_space to true in {CONFIG}; if without spaces between them, write a "
            f"{_AS_IT_IS}."
        )


def _check_ids(target: Path, given: Sequence[Given], of_words: bool, config: Any) -> None:
    """Check that the model has embeddings for the tokens of the texts."""
    rows = getattr(config, "vocab_size", None)
    if not isinstance(rows, int):
        return
    for text, tokens in zip(given, _kept_tokens(target, given, of_words, None), strict=True):
        if max(tokens.ids, default=0) >= rows:
            token = load_tokenizer(target).id_to_token(max(tokens.ids))
            raise UserError(
                f"model: the tokenizer gives {text!r:.80} the token {token!r}, number {max(tokens.ids)}, but the model "
                f"only has embeddings for {rows} tokens (vocab_size). Take files that belong together."
            )


def _pad_token_id(own: Any, source: Path, config: Any) -> int:
    """Return what shorter texts of a batch are filled up with: by the model's config, or else by its tokenizer."""
    from tokenizers import Tokenizer

    if config.pad_token_id is not None:
        return int(config.pad_token_id)
    if own is not None and own.pad_token_id is not None and own.pad_token_id < config.vocab_size:
        return int(own.pad_token_id)
    if own is None and (padding := Tokenizer.from_file(str(source / TOKENIZER)).padding):
        return int(padding["pad_id"])
    raise UserError(
        "model: neither config.json nor the tokenizer says which token fills up the shorter texts of a batch. Set "
        "pad_token_id in config.json to the number that was used in training: of a decoder often that of its "
        "eos_token."
    )


def _sample(examples: Sequence[Example]) -> list[Given]:
    """Return the texts to compare: the first ones, and the longest of the others."""
    rest = heapq.nlargest(_LONGEST, examples[_FIRST:], key=lambda example: len(example.whole))
    return [example.given for example in (*examples[:_FIRST], *rest)]


def _lengths(config: Any) -> list[int]:
    """Return what texts are cut to: at least to 8 tokens, at most to the model's positions."""
    positions = getattr(config, "max_position_embeddings", None) or _MAX_LENGTHS[-1]
    return [length for length in _MAX_LENGTHS if length <= positions] or [_MAX_LENGTHS[0]]


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
