"""Split texts into train, validation and test, with near-duplicates on the same side.

The order is that of hashes, without a random number generator."""

from __future__ import annotations

import hashlib
import html
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from runner.tasks.texts import Example

SIMILARITY = 0.6  # two texts whose words are at least this similar are near-duplicates
TEST, VALIDATION = 0.2, 0.1  # the shares of all texts; the rest is for training

_NOISE = re.compile(r"https?://\S+|www\.\S+|@\w+")  # the parts that copied tweets change most often
_WORD = re.compile(r"\w+(?:'\w+)*|[^\w\s]")


def words(text: str) -> frozenset[str]:
    """Return the set of a text's words in lower case, without addresses and mentions.

    Punctuation counts only in a text that has nothing else, such as a smiley.
    """
    tokens = _WORD.findall(_NOISE.sub(" ", html.unescape(text).lower()))
    return frozenset([token for token in tokens if token[0].isalnum()] or tokens or [text])


def near_duplicates(texts: Sequence[str]) -> list[int]:
    """Group near-duplicates, and return for each text the index of the first text in its group.

    Two texts are near-duplicates if the Jaccard similarity of their `words` is at least `SIMILARITY`. Groups are the
    connected components of that relation. The result is exact. Prefix filtering makes it fast: with words sorted from
    rare to common, two such sets must share one of their first |set| - ceil(similarity * |set|) + 1 words (Chaudhuri et
    al. 2006; Bayardo et al. 2007).
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
    """Return the examples in the order of their hashes, which is the same on every machine and in every version."""
    return sorted(examples, key=lambda example: _hash(example.whole, seed))


def split(examples: Sequence[Example], seed: int = 0) -> tuple[list[Example], list[Example], list[Example]]:
    """Return the examples as (train, validation, test), each shuffled, with near-duplicates together.

    The split of a text depends only on the first text in its group, so a file that grows keeps its split.
    """
    sides: tuple[list[Example], list[Example], list[Example]] = ([], [], [])
    firsts = near_duplicates([example.whole for example in examples])
    for example, first in zip(examples, firsts, strict=True):
        share = int(_hash(examples[first].whole, seed)[:8], 16) / 16**8
        sides[2 if share < TEST else 1 if share < TEST + VALIDATION else 0].append(example)
    # Another seed is needed, because the hashes of the texts in a split begin alike.
    train, validation, test = (shuffled(side, seed + 1) for side in sides)
    return train, validation, test


def _hash(text: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{text}".encode()).hexdigest()


def _jaccard(members: frozenset[str], other: frozenset[str]) -> float:
    shared = len(members & other)
    return shared / (len(members) + len(other) - shared)


def _ceil(value: float) -> int:
    return -int(-(value - 1e-9) // 1)  # the margin keeps 0.6 * 5 at 3


def _find(first: list[int], index: int) -> int:
    while first[index] != index:
        first[index] = first[first[index]]
        index = first[index]
    return index


def _join(first: list[int], index: int, other: int) -> None:
    lower, higher = sorted((_find(first, index), _find(first, other)))
    first[higher] = lower
