"""Tokenize the test texts for a workload, inside a box: `python -m runner.trial.tokenize REQUEST`.

A trial then needs no tokenizer: all batches lie end to end in one .npz (read by runner/trial/inputs.py).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from tokenizers import Encoding, Tokenizer

from runner.models.architectures import positions_for_texts
from runner.models.inputs import INPUTS
from runner.tasks.texts import Example, read_split
from runner.tasks.tokenizer import cut_at, load_tokenizer
from runner.trial.inputs import WORD_STARTS
from runner.trial.request import read_request, run


def main() -> None:
    """Read the request, write `files/inputs.npz` and `notes.json` into the output folder."""
    request, paths = read_request()
    examples, tokenizer = read_split(paths["texts"], "test"), load_tokenizer(paths["checkpoint"])
    arrays = tokenize([example.tokenizer_input for example in examples], tokenizer, request)
    notes = {"texts": len(examples), "remarks": remarks_on_words(examples, tokenizer) if request["words"] else []}
    (paths["output"] / "files").mkdir()
    np.savez(paths["output"] / "files" / "inputs.npz", **arrays)  # type: ignore[arg-type]  # its stub means another key
    (paths["output"] / "notes.json").write_text(json.dumps({"notes": notes}))


def tokenize(
    texts: Sequence[str | tuple[str, ...]], tokenizer: Tokenizer, settings: dict[str, Any]
) -> dict[str, np.ndarray]:
    """Encode, cut into batches in order, pad.

    Args:
        texts: in the order of the calls; of a pair, the longer text is cut first. Lists of words, if `words` is set.
        tokenizer: adds the special tokens, and says on which side texts are cut; its own padding is not used.
        settings: batch_size, padding (longest, bucketed or max_length), bucket, max_length and pad_token_id; whether
            the model takes `token_types`; for the check of lengths its `positions` and `model_type`; and whether every
            text is its `words`.

    Returns:
        shapes int64 [batches, 2] as (rows, columns), and input_ids, attention_mask and, if the model takes them,
        token_type_ids int32, all batches end to end; pad_token_id, int64, for who cuts the batches anew. Of words also
        word_starts, int32 like input_ids, 1 at the first token of a word; and words, bool, one for each word of all
        texts, whether it has such a token.

    Raises:
        ValueError: if max_length exceeds the positions that the model knows.
    """
    longest = _positions(settings)
    if longest is not None and settings["max_length"] > longest:
        raise ValueError(f"workload.max_length is {settings['max_length']}, but the model has {longest} positions")
    cut_at(tokenizer, settings["max_length"])
    of_words = bool(settings.get("words"))
    encodings = tokenizer.encode_batch(list(texts), is_pretokenized=of_words)
    size = settings["batch_size"]
    batches = [_batch(encodings[start : start + size], settings) for start in range(0, len(encodings), size)]
    names = [*(INPUTS if settings.get("token_types") else INPUTS[:2]), *([WORD_STARTS] if of_words else [])]
    arrays = {name: np.concatenate([batch[name].ravel() for batch in batches]).astype(np.int32) for name in names}
    if of_words:
        known = [{*encoding.word_ids} for encoding in encodings]
        there = [word in words for text, words in zip(texts, known, strict=True) for word in range(len(text))]
        arrays["words"] = np.array(there, dtype=bool)
    return arrays | {
        "shapes": np.array([batch["input_ids"].shape for batch in batches], dtype=np.int64),
        "pad_token_id": np.array(settings["pad_token_id"], dtype=np.int64),
    }


def remarks_on_words(examples: Sequence[Example], tokenizer: Tokenizer) -> list[str]:
    """Return a sentence on the words that have no token, even where no text is cut; none if every word has one.

    A tokenizer may remove all characters of a word, such as a zero-width space or a soft hyphen.

    Args:
        examples: texts of kind tokens.
        tokenizer: the model's tokenizer, which then cuts no text.
    """
    cut_at(tokenizer, None)
    texts = [example.words or () for example in examples]
    known = [{*encoding.word_ids} for encoding in tokenizer.encode_batch(texts, is_pretokenized=True)]
    words = [(text, place) for text in range(len(texts)) for place in range(len(texts[text]))]
    without = [(text, place) for text, place in words if place not in known[text]]
    if not without:
        return []
    text, place = without[0]
    wrong = "" if examples[0].label is None else ", and they count as wrong"
    return [
        f"{len(without)} of {len(words)} words in the test texts have no token (first: {texts[text][place]!r:.50} in "
        f"{examples[text].text!r:.80}): the model predicts nothing for them{wrong}."
    ]


def _batch(encodings: list[Encoding], settings: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return all inputs and the starts of words, padded to one length."""
    length = _padded_length(max(len(encoding.ids) for encoding in encodings), settings)
    ids = np.full((len(encodings), length), settings["pad_token_id"])
    mask, types, starts = (np.zeros_like(ids) for _ in range(3))
    for row, encoding in enumerate(encodings):
        ids[row, : len(encoding.ids)] = encoding.ids
        mask[row, : len(encoding.ids)] = 1
        types[row, : len(encoding.ids)] = encoding.type_ids
        words = encoding.word_ids
        starts[row, : len(words)] = [
            word is not None and word != before for before, word in zip([None, *words], words, strict=False)
        ]
    return dict(zip((*INPUTS, WORD_STARTS), (ids, mask, types, starts), strict=True))


def _padded_length(longest: int, settings: dict[str, Any]) -> int:
    """Return the length of a batch; a bucket that max_length cuts ends there."""
    limit: int = settings["max_length"]
    if settings["padding"] == "max_length":
        return limit
    if settings["padding"] == "longest":
        return longest
    bucket: int = settings["bucket"]
    return min(-(-longest // bucket) * bucket, limit)


def _positions(settings: dict[str, Any]) -> int | None:
    """Return the longest text that the model can take."""
    positions: int | None = settings["positions"]
    return positions_for_texts(settings["model_type"], positions, settings["pad_token_id"]) if positions else None


if __name__ == "__main__":
    run(main)
