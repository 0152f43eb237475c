"""Tokenize the test texts for a workload inside a box: `python -m runner.trial.tokenize REQUEST`.

Therefore a trial needs no tokenizer. All batches are written end to end into one .npz file, which
runner/trial/inputs.py reads.
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
    """Read the request, and write `files/inputs.npz` and `notes.json` into the output folder."""
    request, paths = read_request()
    examples, tokenizer = read_split(paths["texts"], "test"), load_tokenizer(paths["checkpoint"])
    arrays = tokenize([example.tokenizer_input for example in examples], tokenizer, request)
    notes = {"texts": len(examples), "remarks": remarks_on_words(examples, tokenizer) if request["words"] else []}
    (paths["output"] / "files").mkdir()
    np.savez(paths["output"] / "files" / "inputs.npz", **arrays)  # type: ignore[arg-type]  # the stub takes `arrays` for another argument
    (paths["output"] / "notes.json").write_text(json.dumps({"notes": notes}))


def tokenize(
    texts: Sequence[str | tuple[str, ...]], tokenizer: Tokenizer, settings: dict[str, Any]
) -> dict[str, np.ndarray]:
    """Encode the texts, divide them into batches in order, and pad each batch.

    Args:
        texts: the texts, or pairs of texts, in the order of the calls. If the setting `words` is true, each text is a
            list of words.
        tokenizer: the model's tokenizer, which adds the special tokens and determines the side on which texts are cut.
            The longer text of a pair is cut first. The padding of the tokenizer is not used.
        settings: batch_size, padding (longest, bucketed or max_length), bucket, max_length, pad_token_id, token_types
            (whether the model has that input), positions and model_type (for the check of max_length), and words.

    Returns:
        shapes: the (rows, columns) of each batch, int64 [batches, 2].
        input_ids, attention_mask, token_type_ids: all batches end to end, int32. The last one is present only if the
            model has that input.
        pad_token_id: the id of the padding token, int64.
        word_starts: if `words` is true, 1 at the first token of each word, int32, shaped like input_ids.
        words: if `words` is true, whether a word has a token, bool, for all words of all texts.

    Raises:
        ValueError: if max_length exceeds the number of positions of the model.
    """
    longest = _positions(settings)
    if longest is not None and settings["max_length"] > longest:
        raise ValueError(f"workload.max_length is {settings['max_length']}, but the model has {longest} positions")
    cut_at(tokenizer, settings["max_length"])
    has_words = bool(settings.get("words"))
    encodings = tokenizer.encode_batch(list(texts), is_pretokenized=has_words)
    size = settings["batch_size"]
    batches = [_batch(encodings[start : start + size], settings) for start in range(0, len(encodings), size)]
    names = [*(INPUTS if settings.get("token_types") else INPUTS[:2]), *([WORD_STARTS] if has_words else [])]
    arrays = {name: np.concatenate([batch[name].ravel() for batch in batches]).astype(np.int32) for name in names}
    if has_words:
        tokenized = [{*encoding.word_ids} for encoding in encodings]
        has_token = [word in words for text, words in zip(texts, tokenized, strict=True) for word in range(len(text))]
        arrays["words"] = np.array(has_token, dtype=bool)
    return arrays | {
        "shapes": np.array([batch["input_ids"].shape for batch in batches], dtype=np.int64),
        "pad_token_id": np.array(settings["pad_token_id"], dtype=np.int64),
    }


def remarks_on_words(examples: Sequence[Example], tokenizer: Tokenizer) -> list[str]:
    """Return a sentence about the words that have no token even if texts are not cut, or an empty list.

    A tokenizer may remove all characters of a word, such as a zero-width space or a soft hyphen.

    Args:
        examples: texts of kind tokens.
        tokenizer: the model's tokenizer, which cuts no text after this call.
    """
    cut_at(tokenizer, None)
    texts = [example.words or () for example in examples]
    tokenized = [{*encoding.word_ids} for encoding in tokenizer.encode_batch(texts, is_pretokenized=True)]
    words = [(text, place) for text in range(len(texts)) for place in range(len(texts[text]))]
    missing = [(text, place) for text, place in words if place not in tokenized[text]]
    if not missing:
        return []
    text, place = missing[0]
    wrong = "" if examples[0].label is None else ", and they count as wrong"
    return [
        f"{len(missing)} of {len(words)} words in the test texts have no token (first: {texts[text][place]!r:.50} in "
        f"{examples[text].text!r:.80}): the model predicts nothing for them{wrong}."
    ]


def _batch(encodings: list[Encoding], settings: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return all inputs of a batch and the starts of its words, padded to one length."""
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
    """Return the length of a batch, which is at most max_length."""
    limit: int = settings["max_length"]
    if settings["padding"] == "max_length":
        return limit
    if settings["padding"] == "longest":
        return longest
    bucket: int = settings["bucket"]
    return min(-(-longest // bucket) * bucket, limit)


def _positions(settings: dict[str, Any]) -> int | None:
    """Return the length of the longest text that the model accepts, or None if the number of positions is unknown."""
    positions: int | None = settings["positions"]
    return positions_for_texts(settings["model_type"], positions, settings["pad_token_id"]) if positions else None


if __name__ == "__main__":
    run(main)
