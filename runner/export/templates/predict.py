"""Use this folder's model as it was measured; see README.md."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Encoding, Tokenizer

from runner.export.templates.onnxruntime import load
from runner.export.templates.single_label import line, values
from runner.export.templates.texts import given

HERE = Path(__file__).resolve().parent
SETTINGS = json.loads((HERE / "settings.json").read_text(encoding="utf-8"))
TOKENIZER = Tokenizer.from_file(str(HERE / "tokenizer.json"))
SIDE = (TOKENIZER.truncation or {"direction": "right"})["direction"]
TOKENIZER.no_padding()
TOKENIZER.enable_truncation(SETTINGS["max_length"], direction=SIDE)


def main() -> None:
    for one in predict(given(sys.argv[1:], sys.stdin), load(HERE, SETTINGS["threads"])):
        print(line(one))


def predict(texts: Any, logits_of: Callable[..., np.ndarray], size: int = SETTINGS["batch_size"]) -> Iterator[Any]:
    """Yield the `values` of each text in a list. A call has `size` texts, pairs of texts, or lists of words."""
    for start in range(0, len(texts), size):
        call = texts[start : start + size]
        encodings = TOKENIZER.encode_batch(call, is_pretokenized=isinstance(call[0], list))  # a list of words
        yield from values(logits_of(padded(encodings)), call, encodings)


def padded(encodings: list[Encoding]) -> dict[str, np.ndarray]:
    """Return the inputs of one call. Each is int64 [texts, tokens]."""
    longest, multiple = max(len(encoding.ids) for encoding in encodings), SETTINGS["pad_to_multiple_of"]
    length = min(-(-longest // multiple) * multiple, SETTINGS["max_length"])
    input_ids = np.full((len(encodings), length), SETTINGS["pad_token_id"], dtype=np.int64)
    attention_mask, token_type_ids = np.zeros_like(input_ids), np.zeros_like(input_ids)
    for row, encoding in enumerate(encodings):
        input_ids[row, : len(encoding.ids)] = encoding.ids
        attention_mask[row, : len(encoding.ids)] = 1
        token_type_ids[row, : len(encoding.ids)] = encoding.type_ids
    inputs = {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids}
    return {name: inputs[name] for name in SETTINGS["inputs"]}


if __name__ == "__main__":
    main()
