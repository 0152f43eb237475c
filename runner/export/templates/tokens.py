"""Prints one line for each word: the word, a tab, its tag, a tab, and the probability of the tag. An empty line ends a
text. A word without a token has no tag, so both fields after it are empty. A text is cut after `max_length` tokens
(see settings.json), so its last words may have none.
"""

import numpy as np
from tokenizers import Encoding

from runner.export.templates.predict import SETTINGS


def values(
    logits: np.ndarray, texts: list[list[str]], encodings: list[Encoding]
) -> list[list[tuple[str, np.ndarray | None]]]:
    """Return the words of each text, each with the probabilities of its tags (at its first token), or None."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    probabilities = powers / powers.sum(axis=-1, keepdims=True)
    tagged = []
    for words, encoding, of_tokens in zip(texts, encodings, probabilities, strict=True):
        first = {word: place for place, word in reversed([*enumerate(encoding.word_ids)])}
        places = [first.get(number) for number in range(len(words))]
        tagged.append([(word, None if at is None else of_tokens[at]) for word, at in zip(words, places, strict=True)])
    return tagged


def line(tagged: list[tuple[str, np.ndarray | None]]) -> str:
    """Return the lines of one text."""
    return "".join(f"{word}\t{_told(probabilities)}\n" for word, probabilities in tagged)


def _told(tags: np.ndarray | None) -> str:
    return "\t" if tags is None else f"{SETTINGS['labels'][int(tags.argmax())]}\t{tags.max():.6f}"
