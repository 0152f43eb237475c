"""Drop the tokens that the task's texts do not need, and with them their rows of the embeddings.

After Abdaoui, Pradel and Sigel, "Load What You Need: Smaller Versions of Multilingual BERT", SustaiNLP 2020. Texts
whose tokens are all kept give the same tokens as before; other words fall apart into shorter tokens, at worst into
single characters.
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
from runner.tasks.texts import SPLITS, read_split
from runner.tasks.tokenizer import load_tokenizer
from runner.techniques.shape import Shape
from runner.techniques.step import Step, StepInputs, step

_KINDS = ("WordPiece", "BPE", "Unigram")
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")  # what characters out of the vocabulary fall apart into


@step("vocabulary-trimming")
@dataclass
class VocabularyTrimming(Step):
    """checkpoint → checkpoint with fewer embeddings, and a tokenizer to fit.

    Kept are: what the training texts (of a task without any, its texts) are made of, all special and added tokens, the
    tokens that no others make up (single characters and bytes), and what longer kept tokens are merged from.

    Attributes:
        min_count: how often a token must occur in the texts.
        common: so many tokens more, the first of the vocabulary, which are the most frequent ones.
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
        """A smaller vocabulary, of a size that the texts decide, if the tokenizer is of a kind that can be trimmed."""
        if shape.tokenizer is not None and shape.tokenizer not in _KINDS:
            raise UserError(
                f"step 'vocabulary-trimming' knows {', '.join(_KINDS)} tokenizers, but the model's is "
                f"{shape.tokenizer}. Exclude the two from meeting in the grid."
            )
        return replace(shape, vocabulary=None)

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Write the smaller checkpoint and its tokenizer; return how many tokens there were and are.

        Raises:
            UserError: if the tokenizer is that of another model.
        """
        from runner.engines.checkpoint import load_checkpoint, save_checkpoint

        assert inputs.source is not None
        model = load_checkpoint(inputs.source)
        tokenizer = json.loads((inputs.source / "tokenizer.json").read_text(encoding="utf-8"))
        split = next(split for split in SPLITS if read_split(inputs.texts, split))
        texts = [example.whole for example in read_split(inputs.texts, split)]
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
        tokenizer: what tokenizer.json holds.
        used: ids to keep in any case.
        common: how many of the first ordinary tokens to keep.
        pad: the padding id.
        fixed: whether it must not change, as where positions are numbered from it on; then nothing before it goes.
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
        return sorted(kept | _never_spelled(model))
    if model["type"] == "WordPiece":
        prefix = model["continuing_subword_prefix"]
        return sorted(kept | {index for token, index in vocabulary.items() if len(token.removeprefix(prefix)) == 1})
    return sorted(_with_parts(kept, model))


def _with_parts(kept: set[int], model: dict[str, Any]) -> set[int]:
    """Add the tokens that no merge makes, and all that the kept ones are merged from.

    A text of kept tokens then meets the same merges in the same order as before.
    """
    vocabulary: dict[str, int] = model["vocab"]
    makers: dict[int, list[tuple[int, int]]] = {}
    for first, second in model["merges"]:
        makers.setdefault(vocabulary[_merged(first, second, model)], []).append((vocabulary[first], vocabulary[second]))
    found = {index for index in vocabulary.values() if index not in makers}
    waiting = list(kept)
    while waiting:
        index = waiting.pop()
        if index not in found:
            found.add(index)
            waiting += [part for pair in makers.get(index, []) for part in pair]
    return found


def trim_tokenizer(tokenizer: dict[str, Any], kept: list[int]) -> dict[str, Any]:
    """Return the tokenizer.json of the kept tokens, numbered anew in the same order."""
    new = {old: index for index, old in enumerate(kept)}
    model = dict(tokenizer["model"])
    if model["type"] == "Unigram":  # its tokens lie in the order of their ids
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
    """Cut a model's token embeddings down to these rows, and give the special tokens in its config their new ids.

    Raises:
        UserError: if the tokenizer has more tokens than the model.
    """
    embeddings = model.get_input_embeddings()
    if kept[-1] >= embeddings.num_embeddings:
        raise UserError(
            f"step 'vocabulary-trimming': the tokenizer has a token {kept[-1]}, but the model only embeddings for "
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
    """Return the ids of a tokenizer's own tokens."""
    vocabulary = model["vocab"]
    return dict(vocabulary) if isinstance(vocabulary, dict) else {entry[0]: id for id, entry in enumerate(vocabulary)}


def _never_spelled(model: dict[str, Any]) -> set[int]:
    """Return the tokens of a Unigram model that no others make up: single characters, bytes, and the unknown one.

    With them the least likely token, which the penalty for unknown characters is taken from.
    """
    tokens: list[tuple[str, float]] = model["vocab"]
    least = min(range(len(tokens)), key=lambda index: tokens[index][1])
    unknown = {model["unk_id"]} if model.get("unk_id") is not None else set()
    single = {index for index, (token, _) in enumerate(tokens) if len(token) == 1 or _BYTE.fullmatch(token)}
    return single | unknown | {least}


def _merged(first: str, second: str, model: dict[str, Any]) -> str:
    """Return the token that a merge of BPE makes."""
    return first + second.removeprefix(model.get("continuing_subword_prefix") or "")


def _unused(token: str) -> bool:
    """Whether it is one of the places that BERT's vocabulary leaves free."""
    return token.startswith("[unused")


def _around(tokenizer: dict[str, Any]) -> list[str]:
    """Return the tokens that the post-processor puts around a text."""
    found = []
    for part in _processors(tokenizer["post_processor"]):
        found += [token for special in part.get("special_tokens", {}).values() for token in special["tokens"]]
        found += [part[end][0] for end in ("cls", "sep") if end in part]
    return found


def _processors(post: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return the post-processors of a sequence one by one."""
    if post is None:
        return []
    return [one for part in post["processors"] for one in _processors(part)] if post["type"] == "Sequence" else [post]


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
