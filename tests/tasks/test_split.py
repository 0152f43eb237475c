"""Near-duplicates are found exactly and kept together, and the order depends only on the texts."""

from __future__ import annotations

import random
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.tasks.split import SIMILARITY, near_duplicates, shuffled, split, words
from runner.tasks.texts import Example

ORIGINAL = "had the best lucky charm ever tonight"


@pytest.mark.parametrize(
    "variant",
    [
        "HAD the BEST lucky charm EVER tonight!!!",
        "@friend had the best lucky charm ever tonight http://x.y/z",
        "RT @friend: had the very best lucky charm ever tonight &amp; more",
        "had the best lucky charm tonight",
    ],
)
def test_variants_are_near_duplicates(variant: str) -> None:
    assert near_duplicates([ORIGINAL, variant]) == [0, 0]


@pytest.mark.parametrize("other", ["had the worst day ever", "lucky you", "", ":)"])
def test_other_texts_are_not(other: str) -> None:
    assert near_duplicates([ORIGINAL, other]) == [0, 1]


def test_smileys_without_words_are_told_apart() -> None:
    assert near_duplicates([":)", ":(", ":)"]) == [0, 1, 0]


@settings(max_examples=60)
@given(st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=6).map(" ".join), max_size=25))
def test_groups_equal_those_of_all_pairs(texts: list[str]) -> None:
    """The fast search gives the same result as comparing every pair."""
    group = list(range(len(texts)))
    for index, other in combinations(range(len(texts)), 2):
        first, second = words(texts[index]), words(texts[other])
        if len(first & second) / len(first | second) >= SIMILARITY:
            old, new = max(group[index], group[other]), min(group[index], group[other])
            group = [new if member == old else member for member in group]
    assert near_duplicates(texts) == group


def _examples(count: int) -> list[Example]:
    generator = random.Random(0)
    return [Example(" ".join(f"w{generator.randrange(5000)}" for _ in range(8)), index % 2) for index in range(count)]


def test_shares_are_70_10_20() -> None:
    sides = split(_examples(3000))
    assert [round(len(side) / 3000, 1) for side in sides] == [0.7, 0.1, 0.2]
    assert sorted(example for side in sides for example in side) == sorted(_examples(3000))


def test_near_duplicates_stay_on_one_side() -> None:
    examples = _examples(200)
    copies = [Example(f"@you {example.text.upper()} !!", example.label) for example in examples]
    sides = split(examples + copies)
    for side in sides:
        names = [example.text.lower().removeprefix("@you ").removesuffix(" !!") for example in side]
        assert all(names.count(name) == 2 for name in names)


def test_a_text_keeps_its_side_when_others_come() -> None:
    small, large = split(_examples(300)), split(_examples(600))
    for before, after in zip(small, large, strict=True):
        assert set(before) <= set(after)


def test_the_order_does_not_depend_on_the_order_given() -> None:
    examples = _examples(100)
    assert shuffled(examples) == shuffled(examples[::-1]) != examples
    assert shuffled(examples, seed=1) != shuffled(examples, seed=2)
