"""Splits that no near-duplicate crosses, and that need no random number generator: the order is that of hashes."""

from __future__ import annotations

import hashlib
import html
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from runner.tasks.texts import Example

SIMILARITY = 0.6  # of two texts' words, from which on they count as near-duplicates
TEST, VALIDATION = 0.2, 0.1  # of all; the rest is for training

_NOISE = re.compile(r"https?://\S+|www\.\S+|@\w+")  # what a copied tweet changes first
_WORD = re.compile(r"\w+(?:'\w+)*|[^\w\s]")


def words(text: str) -> frozenset[str]:
    """Return the set of a text's words in lower case, without addresses and mentions.

    Punctuation counts only in a text that has nothing else, such as a lone smiley.
    """
    tokens = _WORD.findall(_NOISE.sub(" ", html.unescape(text).lower()))
    return frozenset([token for token in tokens if token[0].isalnum()] or tokens or [text])


def near_duplicates(texts: Sequence[str]) -> list[int]:
    """Group near-duplicates: return for each text the index of the first text of its group.

    Two texts are near-duplicates if the Jaccard similarity of their `words` is at least `SIMILARITY`; groups are
    the connected components of that relation. Exact, and quick through prefix filtering: with words sorted from rare
    to common, two such sets must share one of their first |set| - ceil(similarity * |set|) + 1 words
    (Chaudhuri et al. 2006; Bayardo et al. 2007).
    """
    sets = [words(text) for text in texts]
    frequency = Counter(word for members in sets for word in members)
    first = list(range(len(texts)))
    holders: dict[str, list[int]] = defaultdict(list)
    for index, members in enumerate(sets):
        rare_first = sorted(members, key=lambda word: (frequency[word], word))
        prefix = rare_first[: len(members) - _ceil(SIMILARITY * len(members)) + 1]
        for other in {other for word in prefix for other in holders[word]}:
            if _jaccard(members, sets[other]) >= SIMILARITY:
                _join(first, index, other)
        for word in prefix:
            holders[word].append(index)
    return [_find(first, index) for index in range(len(texts))]


def shuffled(examples: Sequence[Example], seed: int = 0) -> list[Example]:
    """Return the examples in the order of their hashes: the same on every machine and in every version."""
    return sorted(examples, key=lambda example: _hash(example.whole, seed))


def split(examples: Sequence[Example], seed: int = 0) -> tuple[list[Example], list[Example], list[Example]]:
    """Split into (train, validation, test), near-duplicates always together, each side shuffled.

    Which side a text is on depends only on the first text of its group, so a file that grows keeps its split.
    """
    sides: tuple[list[Example], list[Example], list[Example]] = ([], [], [])
    firsts = near_duplicates([example.whole for example in examples])
    for example, first in zip(examples, firsts, strict=True):
        share = int(_hash(examples[first].whole, seed)[:8], 16) / 16**8
        sides[2 if share < TEST else 1 if share < TEST + VALIDATION else 0].append(example)
    # Another seed, as within one side the first hashes are all alike.
    train, validation, test = (shuffled(side, seed + 1) for side in sides)
    return train, validation, test


def _hash(text: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{text}".encode()).hexdigest()


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)


def _ceil(value: float) -> int:
    return -int(-(value - 1e-9) // 1)  # the margin keeps 0.6 * 5 at 3


def _find(first: list[int], index: int) -> int:
    while first[index] != index:
        first[index] = first[first[index]]
        index = first[index]
    return index


def _join(first: list[int], one: int, other: int) -> None:
    one, other = sorted((_find(first, one), _find(first, other)))
    first[other] = one
