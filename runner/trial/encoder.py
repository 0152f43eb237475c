"""Turn texts into an engine's input, as a service does for each request: tokenize them, pad them, and hand them over.

`runner.trial.tokenize` writes what an encoder needs into the folder of the inputs: the model's tokenizer.json, the
settings of the workload, and the test texts in the order of the calls.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from runner.models.inputs import INPUTS
from runner.tasks.tokenizer import load_tokenizer

#: A text, a pair of texts, or the words of a text.
Text = str | tuple[str, ...]
SETTINGS, TEXTS = "encoding.json", "texts.json"
T = TypeVar("T")


class Encoder:
    """Encode the texts of a call.

    Args:
        folder: the folder of the inputs.
        prepare: the engine's function that turns arrays into its own input.
    """

    def __init__(self, folder: Path, prepare: Callable[..., Any]) -> None:
        self._settings = json.loads((folder / SETTINGS).read_text())
        self._tokenizer = load_tokenizer(folder, self._settings["max_length"])
        self._names = input_names(self._settings)
        self._prepare = prepare

    def encode(self, texts: Sequence[Text]) -> Any:
        """Return the engine's input for the texts of one call."""
        return self._prepare(*self.tokenize(texts))

    def tokenize(self, texts: Sequence[Text]) -> list[np.ndarray]:
        """Return the model's inputs for the texts of one call in the order of `INPUTS`, int64 [texts, length]."""
        encodings = self._tokenizer.encode_batch_fast(texts, is_pretokenized=self._settings["words"])
        return pad(encodings, self._names, self._settings)


def input_names(settings: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of the model's inputs. Not every model takes token types."""
    return INPUTS if settings["token_types"] else INPUTS[:2]


def pad(encodings: Sequence[Any], names: Sequence[str], settings: dict[str, Any]) -> list[np.ndarray]:
    """Return the inputs with these names for some texts, padded on the right to one length, int64 [texts, length].

    Args:
        encodings: a `tokenizers.Encoding` for each text.
        names: names from `INPUTS`.
        settings: padding, max_length, bucket and pad_token_id; see `runner.trial.tokenize`.
    """
    length = _padded_length(max(len(encoding.ids) for encoding in encodings), settings)
    arrays = [np.zeros((len(encodings), length), dtype=np.int64) for _ in names]
    arrays[0].fill(settings["pad_token_id"])
    for row, encoding in enumerate(encodings):
        ids = encoding.ids
        values = (ids, 1, encoding.type_ids)
        for array, value in zip(arrays, values, strict=False):
            array[row, : len(ids)] = value
    return arrays


def _padded_length(longest: int, settings: dict[str, Any]) -> int:
    """Return the length of a batch, which is at most max_length."""
    limit: int = settings["max_length"]
    if settings["padding"] == "max_length":
        return limit
    if settings["padding"] == "longest":
        return longest
    bucket: int = settings["bucket"]
    return min(-(-longest // bucket) * bucket, limit)


def read_texts(folder: Path) -> list[Text]:
    """Return the test texts, in the order of the calls."""
    texts = json.loads((folder / TEXTS).read_text(encoding="utf-8"))
    return [tuple(text) if isinstance(text, list) else text for text in texts]


def in_calls(texts: Sequence[T], batch_size: int) -> list[Sequence[T]]:
    """Return what belongs to the texts of each call: `batch_size` texts, in order."""
    return [texts[start : start + batch_size] for start in range(0, len(texts), batch_size)]
