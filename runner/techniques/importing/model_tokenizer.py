"""Import a model's tokenizer as one tokenizer.json that gives the same tokens as AutoTokenizer of transformers.

tokenizer.json alone does not decide the tokens: tokenizer_config.json may change casing, accents, spaces, added tokens
and the side on which texts are cut, and transformers follows it. The tokenizer is therefore taken from transformers,
and the saved file is compared with it on the task's own texts.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from runner.config.task_kinds import TOKENS
from runner.errors import UserError, first_line
from runner.tasks.texts import Example, read_kind, read_split
from runner.tasks.tokenizer import TOKENIZER, load_tokenizer, save_tokenizer, truncation_side
from runner.techniques.training.pairs import note_token_types

CONFIG = "tokenizer_config.json"
_VOCABULARIES = ("vocab*", "*.model")  # the files of tokenizers that have no tokenizer.json
_FIRST, _LONGEST = 1000, 100  # how many test texts are compared
_MAX_LENGTHS = (8, 32, 128, 512)  # the numbers of tokens to which they are cut, as far as the model has positions
_SHOWN = 12  # the number of tokens in a message
_NEED_A_SPACE = ("RobertaTokenizer", "GPT2Tokenizer", "BartTokenizer", "DebertaTokenizer", "LEDTokenizer")
_AS_IT_IS = f'{CONFIG} with {{"tokenizer_class": "PreTrainedTokenizerFast"}}, which takes {TOKENIZER} as it is'

RawText = str | tuple[str, ...]  # a text, a pair of texts, or the words of a text


class _Tokens(NamedTuple):
    """The tokens of a text, as a model takes them."""

    ids: list[int]
    types: list[int]
    mask: list[int]


def import_tokenizer(source: Path, target: Path, texts: Path, config: Any) -> None:
    """Write tokenizer.json, and set the padding token and the use of token types in the model's config.

    Args:
        source: the model's files.
        target: the folder of the checkpoint.
        texts: the task's folder, whose test texts are compared.
        config: the model's config, which is saved later.

    Raises:
        UserError: if there is no tokenizer, if transformers cannot load it, or if the saved one gives other tokens.
    """
    check_tokenizer_files(source)
    sample = _sample(read_split(texts, "test"))
    of_words = read_kind(texts) == TOKENS
    original = _load_original(source, config)
    _save(original, source, target)
    if original is None or "token_type_ids" in original.model_input_names:
        note_token_types(config, target, texts)
    if original is not None:
        _check_words(original, of_words)
        _compare(original, target, sample, of_words, config)
    _check_ids(target, sample, of_words, config)
    config.pad_token_id = _pad_token_id(original, source, config)


def check_tokenizer_files(folder: Path) -> None:
    """Check a model's tokenizer by the names of its files and by its JSON alone.

    Raises:
        UserError: if there is no tokenizer, or if it cannot be saved as a tokenizer.json.
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
            f"model: {CONFIG}: split_special_tokens is true, but {TOKENIZER} cannot hold this setting, so an exported "
            "model would not follow it. Set it to false. It matters only for texts that spell out special tokens."
        )


def _check_vocabulary(folder: Path) -> None:
    """Check that the files hold a vocabulary, and that transformers can read it."""
    vocabularies = sorted(path.name for pattern in _VOCABULARIES for path in folder.glob(pattern))
    if not vocabularies:
        raise UserError(f"model: there is no {TOKENIZER} and no vocabulary. Add the tokenizer's files to the folder.")
    if all(name.endswith(".model") for name in vocabularies):
        raise UserError(
            f"model: the tokenizer is {vocabularies[0]} alone. To read it, transformers needs the package "
            f"sentencepiece, which is not part of Pinbox's environment. Make a {TOKENIZER} in another environment: "
            'pip install transformers sentencepiece protobuf, then python -c "from transformers import AutoTokenizer; '
            "AutoTokenizer.from_pretrained('FOLDER').save_pretrained('FOLDER')\", where FOLDER is the model's."
        )


def _load_original(source: Path, config: Any) -> Any:
    """Return the tokenizer that transformers makes from the files; None if there is only a tokenizer.json."""
    from runner.engines.lean_transformers import transformers

    if not (source / "config.json").is_file() and not (source / CONFIG).is_file():
        return None  # transformers cannot load such a folder, so it has nothing to compare with
    try:
        original = transformers.AutoTokenizer.from_pretrained(
            source, config=config, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # each of its classes raises errors of other types
        raise UserError(
            f"model: transformers cannot load the tokenizer: {first_line(error)}. Correct {CONFIG}, or write a "
            f"{_AS_IT_IS}."
        ) from None
    if not original.is_fast:
        raise UserError(
            f"model: the tokenizer is a {type(original).__name__}, which transformers implements only in Python: no "
            f"{TOKENIZER} can be made of it. Take another model."
        )
    return original


def _save(original: Any, source: Path, target: Path) -> None:
    """Write the tokenizer.json of the checkpoint.

    If the model has a tokenizer.json and no tokenizer_config.json, the file is taken as it is.
    """
    from tokenizers import Tokenizer

    as_it_is = (source / TOKENIZER).is_file() and not (source / CONFIG).is_file()
    saved = Tokenizer.from_file(str(source / TOKENIZER)) if original is None or as_it_is else original.backend_tokenizer
    side = truncation_side(saved) if original is None else original.truncation_side
    try:
        saved = Tokenizer.from_str(saved.to_str())  # a copy, so that the original stays as it is for the comparison
    except Exception as error:  # raised for a tokenizer with a part written in Python
        raise UserError(
            f"model: no {TOKENIZER} can be made of a {type(original).__name__}: {first_line(error)}. Take another "
            "model."
        ) from None
    save_tokenizer(saved, side, target)


def _compare(original: Any, target: Path, sample: Sequence[RawText], of_words: bool, config: Any) -> None:
    """Check that the saved tokenizer gives the same tokens as transformers, also where it cuts texts."""
    from runner.engines.checkpoint import TOKEN_TYPES

    for max_length in _lengths(config):
        all_saved = _saved_tokens(target, sample, of_words, max_length)
        all_expected = _original_tokens(original, sample, of_words, max_length)
        for text, saved, expected in zip(sample, all_saved, all_expected, strict=True):
            if getattr(config, TOKEN_TYPES, False):
                same = saved == expected
            else:
                same = (saved.ids, saved.mask) == (expected.ids, expected.mask)
            if not same:
                raise UserError(_difference(original, target, text, saved, expected, max_length))


def _difference(original: Any, target: Path, text: RawText, saved: _Tokens, expected: _Tokens, max_length: int) -> str:
    names = [load_tokenizer(target).id_to_token(index) for index in saved.ids]
    expected_names = original.convert_ids_to_tokens(expected.ids)
    what, ours, theirs = "tokens", _shown(names), _shown(expected_names)
    if names == expected_names:
        what, ours, theirs = "numbers of tokens", _shown([*saved[:2]]), _shown([*expected[:2]])
    return (
        f"model: {TOKENIZER} and transformers ({type(original).__name__}) disagree on {text!r:.80}, cut to "
        f"{max_length} tokens: {what} {ours} against {theirs}. Set do_lower_case, strip_accents and the like in a "
        f"{CONFIG} as they were in training, or write a {_AS_IT_IS}."
    )


def _shown(tokens: Sequence[Any]) -> str:
    return " ".join(map(str, tokens[:_SHOWN])) + (" …" if len(tokens) > _SHOWN else "")


def _saved_tokens(target: Path, sample: Sequence[RawText], of_words: bool, max_length: int | None) -> Iterator[_Tokens]:
    """Yield each text's tokens as `runner.trial.tokenize` makes them."""
    tokenizer = load_tokenizer(target, max_length)
    for encoding in tokenizer.encode_batch(list(sample), is_pretokenized=of_words):
        yield _Tokens(encoding.ids, encoding.type_ids, encoding.attention_mask)


def _original_tokens(original: Any, sample: Sequence[RawText], of_words: bool, max_length: int) -> Iterator[_Tokens]:
    """Return each text's tokens as transformers makes them."""
    pairs = not of_words and isinstance(sample[0], tuple)
    columns = [list(column) for column in zip(*sample, strict=True)] if pairs else [[*sample]]
    if of_words:
        columns = [[list(words) for words in sample]]
    encoded = original(
        *columns,
        is_split_into_words=of_words,
        truncation=True,
        max_length=max_length,
        return_token_type_ids=True,
        return_attention_mask=True,
    )
    rows = zip(encoded["input_ids"], encoded["token_type_ids"], encoded["attention_mask"], strict=True)
    return (_Tokens(*row) for row in rows)


def _check_words(original: Any, of_words: bool) -> None:
    """Check that the tokenizer keeps the spaces between the words of a list."""
    if of_words and type(original).__name__ in _NEED_A_SPACE and not original.add_prefix_space:
        raise UserError(
            f"model: a task of kind {TOKENS} gives a list of words, and a {type(original).__name__} without "
            "add_prefix_space runs them together; transformers before version 5 refused it. If the model was trained "
            f"on words with spaces between them, set add_prefix_space to true in {CONFIG}. Otherwise write a "
            f"{_AS_IT_IS}."
        )


def _check_ids(target: Path, sample: Sequence[RawText], of_words: bool, config: Any) -> None:
    """Check that the model has embeddings for the tokens of the texts."""
    rows = getattr(config, "vocab_size", None)
    if not isinstance(rows, int):
        return
    for text, tokens in zip(sample, _saved_tokens(target, sample, of_words, None), strict=True):
        if max(tokens.ids, default=0) >= rows:
            token = load_tokenizer(target).id_to_token(max(tokens.ids))
            raise UserError(
                f"model: the tokenizer gives {text!r:.80} the token {token!r}, number {max(tokens.ids)}, but the model "
                f"has embeddings for only {rows} tokens (vocab_size). Take files that belong together."
            )


def _pad_token_id(original: Any, source: Path, config: Any) -> int:
    """Return the id of the padding token, from the model's config or else from its tokenizer."""
    from tokenizers import Tokenizer

    if config.pad_token_id is not None:
        return int(config.pad_token_id)
    if original is not None and original.pad_token_id is not None and original.pad_token_id < config.vocab_size:
        return int(original.pad_token_id)
    if original is None and (padding := Tokenizer.from_file(str(source / TOKENIZER)).padding):
        return int(padding["pad_id"])
    raise UserError(
        "model: neither config.json nor the tokenizer names the padding token, which fills up the shorter texts of a "
        "batch. Set pad_token_id in config.json to the number that was used in training. Decoders often use their "
        "eos_token."
    )


def _sample(examples: Sequence[Example]) -> list[RawText]:
    """Return the texts to compare: the first ones, and the longest of the others."""
    rest = heapq.nlargest(_LONGEST, examples[_FIRST:], key=lambda example: len(example.whole))
    return [example.tokenizer_input for example in (*examples[:_FIRST], *rest)]


def _lengths(config: Any) -> list[int]:
    """Return the lengths to which texts are cut: at least 8 tokens, at most the model's positions."""
    positions = getattr(config, "max_position_embeddings", None) or _MAX_LENGTHS[-1]
    return [length for length in _MAX_LENGTHS if length <= positions] or [_MAX_LENGTHS[0]]
