"""Tokenize the test texts for a workload inside a box: `python -m runner.trial.tokenize REQUEST`.

All batches are written end to end into one .npz file, which runner/trial/inputs.py reads. The tokenizer, the settings
and the texts are written beside it, so that a trial can tokenize the same texts again (runner/trial/encoder.py).

In a task of kind retrieval, the test texts are queries. The documents are written into another .npz file, in batches of
their own. The setting `prompts` says what comes before each query and before each document.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from typing import Any

import numpy as np
from tokenizers import Encoding, Tokenizer

from runner.models.architectures import positions_for_texts
from runner.tasks.texts import DOCUMENTS, Example, read_split
from runner.tasks.tokenizer import TOKENIZER, cut_at, load_tokenizer
from runner.trial.encoder import SETTINGS, TEXTS, Text, in_calls, input_names, pad
from runner.trial.inputs import DOCUMENTS_FILE, TEXTS_FILE, WORD_STARTS
from runner.trial.request import read_request, run

DOCUMENTS_A_CALL = 16  # the number of documents in a call; nobody waits for a single one


def main() -> None:
    """Read the request, and write the folder of the inputs, `files`, and `notes.json` into the output folder."""
    request, paths = read_request()
    examples, tokenizer = read_split(paths["texts"], "test"), load_tokenizer(paths["checkpoint"])
    query_prompt, document_prompt = request.get("prompts") or ("", "")
    texts = [prompted(example.tokenizer_input, query_prompt) for example in examples]
    documents = [prompted(example.text, document_prompt) for example in read_split(paths["texts"], DOCUMENTS)]
    arrays = tokenize(texts, tokenizer, request)
    notes = {"texts": len(examples), "remarks": remarks_on_words(examples, tokenizer) if request["words"] else []}
    files = paths["output"] / "files"
    files.mkdir()
    np.savez(files / TEXTS_FILE, **arrays)  # type: ignore[arg-type]  # the stub takes `arrays` for another argument
    if documents:
        in_batches = request | {"batch_size": DOCUMENTS_A_CALL, "padding": "longest"}
        np.savez(files / DOCUMENTS_FILE, **tokenize(documents, tokenizer, in_batches))  # type: ignore[arg-type]
    shutil.copyfile(paths["checkpoint"] / TOKENIZER, files / TOKENIZER)
    settings = {name: value for name, value in request.items() if name != "paths"}
    (files / SETTINGS).write_text(json.dumps(settings))
    (files / TEXTS).write_text(json.dumps(texts, ensure_ascii=False), encoding="utf-8")
    (paths["output"] / "notes.json").write_text(json.dumps({"notes": notes}))


def prompted(text: Text, prompt: str) -> Text:
    """Return a text after its prompt."""
    return prompt + text if isinstance(text, str) else text


def tokenize(texts: Sequence[Text], tokenizer: Tokenizer, settings: dict[str, Any]) -> dict[str, np.ndarray]:
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
    has_words, names = settings["words"], input_names(settings)
    encodings = tokenizer.encode_batch(list(texts), is_pretokenized=has_words)
    batches = [pad(batch, names, settings) for batch in in_calls(encodings, settings["batch_size"])]
    arrays = {
        name: np.concatenate([batch[place].ravel() for batch in batches]).astype(np.int32)
        for place, name in enumerate(names)
    }
    if has_words:
        starts = map(_word_starts, in_calls(encodings, settings["batch_size"]), batches)
        arrays[WORD_STARTS] = np.concatenate([batch.ravel() for batch in starts])
        tokenized = [{*encoding.word_ids} for encoding in encodings]
        has_token = [word in words for text, words in zip(texts, tokenized, strict=True) for word in range(len(text))]
        arrays["words"] = np.array(has_token, dtype=bool)
    return arrays | {
        "shapes": np.array([batch[0].shape for batch in batches], dtype=np.int64),
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


def _word_starts(encodings: Sequence[Encoding], inputs: Sequence[np.ndarray]) -> np.ndarray:
    """Return 1 at the first token of each word of a batch, int32, in the shape of its inputs."""
    starts = np.zeros_like(inputs[0], dtype=np.int32)
    for row, encoding in enumerate(encodings):
        words = encoding.word_ids
        starts[row, : len(words)] = [
            word is not None and word != before for before, word in zip([None, *words], words, strict=False)
        ]
    return starts


def _positions(settings: dict[str, Any]) -> int | None:
    """Return the length of the longest text that the model accepts, or None if the number of positions is unknown."""
    positions: int | None = settings["positions"]
    return positions_for_texts(settings["model_type"], positions, settings["pad_token_id"]) if positions else None


if __name__ == "__main__":
    run(main)
