"""Prints a line for each word: the word, a tab, its tag, a tab, and the tag's probability; an empty line ends a text.
A word without a token has no tag: nothing stands after its first tab but the second. Such are those at the end of a
text of more than `max_length` tokens (settings.json), which is cut there.
"""

import numpy as np
from tokenizers import Encoding

from runner.export.templates.predict import SETTINGS


def values(
    logits: np.ndarray, texts: list[list[str]], encodings: list[Encoding]
) -> list[list[tuple[str, np.ndarray | None]]]:
    """Return the words of each text, each with the probability of every tag at its first token; None if it has none."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    probabilities = powers / powers.sum(axis=-1, keepdims=True)
    tagged = []
    for words, encoding, of_tokens in zip(texts, encodings, probabilities, strict=True):
        first = {word: place for place, word in reversed([*enumerate(encoding.word_ids)])}
        places = [first.get(number) for number in range(len(words))]
        tagged.append([(word, None if at is None else of_tokens[at]) for word, at in zip(words, places, strict=True)])
    return tagged


def line(tagged: list[tuple[str, np.ndarray | None]]) -> str:
    """Return what is printed of one text."""
    return "".join(f"{word}\t{_told(probabilities)}\n" for word, probabilities in tagged)


def _told(tags: np.ndarray | None) -> str:
    return "\t" if tags is None else f"{SETTINGS['labels'][int(tags.argmax())]}\t{tags.max():.6f}"
