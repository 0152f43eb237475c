"""Remove the tokens that the task's texts do not need, together with their rows of the embeddings.

See Abdaoui, Pradel and Sigel, "Load What You Need: Smaller Versions of Multilingual BERT", SustaiNLP 2020. Texts whose
tokens are all kept give the same tokens as before. Other words are split into shorter tokens, at worst into single
characters.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runner.errors import UserError
from runner.models.architectures import ARCHITECTURES
from runner.tasks.texts import texts_to_learn_from
from runner.tasks.tokenizer import load_tokenizer
from runner.techniques.shape import Shape
from runner.techniques.step import Step, StepInputs, step

_KINDS = ("WordPiece", "BPE", "Unigram")
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")  # the tokens for bytes of characters that the vocabulary lacks


@step("vocabulary-trimming")
@dataclass
class VocabularyTrimming(Step):
    """checkpoint → checkpoint with fewer embeddings and a tokenizer that fits them.

    The step keeps the tokens of the training texts (without these, of the documents, or else of the test
    texts), all special and added tokens, the tokens that are not made of others (single characters and bytes), and the
    tokens from which longer kept tokens are merged.

    Attributes:
        min_count: how often a token must occur in the texts.
        common: how many more tokens to keep. They are the first in the vocabulary, which are the most frequent ones.
    """

    takes = "checkpoint"
    gives = "checkpoint"
    changes_tokenizer = True
    reads_texts = True

    min_count: int = 1
    common: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.min_count, int) and self.min_count < 1:
            raise UserError(f"step 'vocabulary-trimming': min_count is {self.min_count}, but must be at least 1.")
        if isinstance(self.common, int) and self.common < 0:
            raise UserError(f"step 'vocabulary-trimming': common is {self.common}, but must be at least 0.")

    def infer_shape(self, shape: Shape) -> Shape:
        """Check that the tokenizer's kind can be trimmed. The new size of the vocabulary depends on the texts."""
        if shape.tokenizer is not None and shape.tokenizer not in _KINDS:
            raise UserError(
                f"step 'vocabulary-trimming' knows {', '.join(_KINDS)} tokenizers, but the model's is "
                f"{shape.tokenizer}. Exclude this combination in the grid."
            )
        return replace(shape, vocabulary=None)

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Write the smaller checkpoint and its tokenizer, and return the number of tokens before and after.

        Raises:
            UserError: if the tokenizer belongs to another model.
        """
        from runner.engines.checkpoint import load_checkpoint, save_checkpoint

        assert inputs.source is not None
        model = load_checkpoint(inputs.source)
        tokenizer = json.loads((inputs.source / "tokenizer.json").read_text(encoding="utf-8"))
        split, examples = texts_to_learn_from(inputs.texts)
        texts = [example.whole for example in examples]
        used = used_tokens(load_tokenizer(inputs.source), texts, self.min_count)
        architecture = ARCHITECTURES.get(model.config.model_type)
        fixed = architecture is not None and architecture.numbered_from_padding
        kept = kept_tokens(tokenizer, used, self.common, pad=model.config.pad_token_id, fixed=fixed)
        before = model.config.vocab_size
        keep_embeddings(model, kept)
        trimmed = trim_tokenizer(tokenizer, kept)
        (target / "tokenizer.json").write_text(json.dumps(trimmed, ensure_ascii=False), encoding="utf-8")
        save_checkpoint(model, target, tokenizer_from=target)
        return {"tokens_before": before, "tokens": len(kept), "texts": split}


def used_tokens(tokenizer: Any, texts: list[str], min_count: int) -> set[int]:
    """Return the ids that occur at least `min_count` times in the texts."""
    counts = Counter(index for encoding in tokenizer.encode_batch(texts) for index in encoding.ids)
    return {index for index, count in counts.items() if count >= min_count}


def kept_tokens(
    tokenizer: dict[str, Any], used: set[int], common: int, pad: int | None, fixed: bool = False
) -> list[int]:
    """Return the ids to keep, in rising order.

    Args:
        tokenizer: the content of tokenizer.json.
        used: the ids to keep in any case.
        common: how many of the first ordinary tokens to keep.
        pad: the padding id.
        fixed: whether the padding id must not change, because positions are numbered from it on. If so, all tokens
            before it are kept.
    """
    model = tokenizer["model"]
    vocabulary = _ids(model)
    special = {token["id"] for token in tokenizer["added_tokens"]}
    special |= {vocabulary[token] for token in (model.get("unk_token"), *_around(tokenizer)) if token in vocabulary}
    ordinary = sorted(index for token, index in vocabulary.items() if index not in special and not _unused(token))
    kept = used | special | set(ordinary[:common])
    if pad is not None:
        kept |= set(range(pad + 1)) if fixed else {pad}
    if model["type"] == "Unigram":
        return sorted(kept | _basic_tokens(model))
    if model["type"] == "WordPiece":
        prefix = model["continuing_subword_prefix"]
        return sorted(kept | {index for token, index in vocabulary.items() if len(token.removeprefix(prefix)) == 1})
    return sorted(_with_parts(kept, model))


def _with_parts(kept: set[int], model: dict[str, Any]) -> set[int]:
    """Return the kept tokens, those that no merge makes, and all from which the kept ones are merged.

    So a text of kept tokens goes through the same merges in the same order as before.
    """
    vocabulary: dict[str, int] = model["vocab"]
    makers: dict[int, list[tuple[int, int]]] = {}
    for first, second in model["merges"]:
        makers.setdefault(vocabulary[_merged(first, second, model)], []).append((vocabulary[first], vocabulary[second]))
    needed = {index for index in vocabulary.values() if index not in makers}
    waiting = list(kept)
    while waiting:
        index = waiting.pop()
        if index not in needed:
            needed.add(index)
            waiting += [part for pair in makers.get(index, []) for part in pair]
    return needed


def trim_tokenizer(tokenizer: dict[str, Any], kept: list[int]) -> dict[str, Any]:
    """Return the tokenizer.json of the kept tokens, with new ids in the same order."""
    new = {old: index for index, old in enumerate(kept)}
    model = dict(tokenizer["model"])
    if model["type"] == "Unigram":  # it lists its tokens in the order of their ids
        model["vocab"] = [entry for index, entry in enumerate(model["vocab"]) if index in new]
        model["unk_id"] = new.get(model["unk_id"])
    else:
        model["vocab"] = {token: new[index] for token, index in model["vocab"].items() if index in new}
    if "merges" in model:
        model["merges"] = [
            [first, second] for first, second in model["merges"] if _merged(first, second, model) in model["vocab"]
        ]
    added = [token | {"id": new[token["id"]]} for token in tokenizer["added_tokens"]]
    post = _renumbered(tokenizer["post_processor"], new)
    return tokenizer | {"model": model, "added_tokens": added, "post_processor": post}


def keep_embeddings(model: Any, kept: list[int]) -> None:
    """Keep only these rows of a model's token embeddings, and update the ids of special tokens in its config.

    Raises:
        UserError: if the tokenizer has more tokens than the model.
    """
    embeddings = model.get_input_embeddings()
    if kept[-1] >= embeddings.num_embeddings:
        raise UserError(
            f"step 'vocabulary-trimming': the tokenizer has a token {kept[-1]}, but the model has embeddings for only "
            f"{embeddings.num_embeddings} tokens. Take files that belong together."
        )
    embeddings.weight.data = embeddings.weight.data[kept]
    embeddings.num_embeddings = model.config.vocab_size = len(kept)
    if embeddings.padding_idx is not None:
        embeddings.padding_idx = kept.index(embeddings.padding_idx) if embeddings.padding_idx in kept else None
    for name, value in model.config.to_dict().items():
        if name.endswith("_token_id") and isinstance(value, int) and value in kept:
            setattr(model.config, name, kept.index(value))


def _ids(model: dict[str, Any]) -> dict[str, int]:
    """Return the ids of the tokens in a tokenizer's model."""
    vocabulary = model["vocab"]
    return dict(vocabulary) if isinstance(vocabulary, dict) else {entry[0]: id for id, entry in enumerate(vocabulary)}


def _basic_tokens(model: dict[str, Any]) -> set[int]:
    """Return the tokens of a Unigram model that are not made of others: single characters, bytes and the unknown token.

    The least likely token is among them, because the penalty for unknown characters follows from it.
    """
    tokens: list[tuple[str, float]] = model["vocab"]
    least_likely = min(range(len(tokens)), key=lambda index: tokens[index][1])
    unknown = {model["unk_id"]} if model.get("unk_id") is not None else set()
    single = {index for index, (token, _) in enumerate(tokens) if len(token) == 1 or _BYTE.fullmatch(token)}
    return single | unknown | {least_likely}


def _merged(first: str, second: str, model: dict[str, Any]) -> str:
    """Return the token that a merge of BPE makes."""
    return first + second.removeprefix(model.get("continuing_subword_prefix") or "")


def _unused(token: str) -> bool:
    """Return whether a token is one of the unused places in BERT's vocabulary."""
    return token.startswith("[unused")


def _around(tokenizer: dict[str, Any]) -> list[str]:
    """Return the tokens that the post-processor puts around a text."""
    tokens = []
    for part in _processors(tokenizer["post_processor"]):
        tokens += [token for special in part.get("special_tokens", {}).values() for token in special["tokens"]]
        tokens += [part[end][0] for end in ("cls", "sep") if end in part]
    return tokens


def _processors(post: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return the single post-processors of a nested sequence."""
    if post is None:
        return []
    return [step for part in post["processors"] for step in _processors(part)] if post["type"] == "Sequence" else [post]


def _renumbered(post: dict[str, Any] | None, new: dict[int, int]) -> dict[str, Any] | None:
    """Return a post-processor whose special tokens have their new ids."""
    post = json.loads(json.dumps(post))
    for part in _processors(post):
        for special in part.get("special_tokens", {}).values():
            special["ids"] = [new[index] for index in special["ids"]]
        for end in ("cls", "sep"):
            if end in part:
                part[end][1] = new[part[end][1]]
    return post
