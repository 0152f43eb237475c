"""Predict the labels of texts with this folder's model, called as it was when it was measured (see README.md).

    python predict.py "One text" "Another one"
    python predict.py < texts.txt                   one text a line

Prints a line for each text: the label, a tab, and its probability.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from runner.export.templates.onnxruntime import load

HERE = Path(__file__).resolve().parent
SETTINGS = json.loads((HERE / "settings.json").read_text(encoding="utf-8"))


def main() -> None:
    texts = sys.argv[1:] or [line.rstrip("\n") for line in sys.stdin]
    for probabilities in predict(texts, load(HERE, SETTINGS["threads"])):
        best = int(probabilities.argmax())
        print(f"{SETTINGS['labels'][best]}\t{probabilities[best]:.6f}")


def predict(texts: list[str], logits_of: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Iterator[np.ndarray]:
    """Give the probability of every label for each text."""
    tokenizer = Tokenizer.from_file(str(HERE / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(SETTINGS["max_length"])
    for start in range(0, len(texts), SETTINGS["batch_size"]):
        call = texts[start : start + SETTINGS["batch_size"]]
        yield from softmax(logits_of(*encode(call, tokenizer)))


def encode(texts: list[str], tokenizer: Tokenizer) -> tuple[np.ndarray, np.ndarray]:
    """Return input_ids and attention_mask of one call, int64 [texts, tokens]."""
    tokens = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    longest, multiple = max(map(len, tokens)), SETTINGS["pad_to_multiple_of"]
    length = min(-(-longest // multiple) * multiple, SETTINGS["max_length"])
    input_ids = np.full((len(texts), length), SETTINGS["pad_token_id"], dtype=np.int64)
    attention_mask = np.zeros_like(input_ids)
    for row, ids in enumerate(tokens):
        input_ids[row, : len(ids)] = ids
        attention_mask[row, : len(ids)] = 1
    return input_ids, attention_mask


def softmax(logits: np.ndarray) -> np.ndarray:
    """Turn logits into probabilities, [texts, labels]."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


if __name__ == "__main__":
    main()
