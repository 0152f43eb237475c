"""The tweets have the documented counts and classes, and no near-duplicates in two splits."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from runner.config.task import TaskConfig
from runner.errors import UserError
from runner.tasks import tweets
from runner.tasks.source import load_texts
from runner.tasks.texts import SPLITS, Texts
from tests.wheels import only_index

DOWNLOADS = Path(__file__).parents[2] / ".cache" / "downloads"
TASK = TaskConfig(name="tweets", source="tweets")


@pytest.fixture(scope="module")
def texts() -> Texts:
    return load_texts(TASK, DOWNLOADS)


def test_counts_are_those_documented(texts: Texts) -> None:
    for side in SPLITS:
        counts = Counter(example.label for example in getattr(texts, side))
        row = re.search(rf"\| {side} +\|([^\n]+)\|", tweets.__doc__ or "")
        assert row, side
        documented = [int(number.replace(",", "")) for number in row.group(1).split("|")]
        assert [counts[0], counts[1], counts[2], counts.total()] == documented


def test_no_near_duplicate_is_on_two_sides(texts: Texts) -> None:
    """It uses another method than the split: all pairs, as products of a matrix of tweets and their lower-case
    words."""
    address = re.compile(r"(@|http|www)\S*")
    sides = [
        [re.findall(r"[a-z]+", address.sub("", example.text.lower())) for example in getattr(texts, side)]
        for side in SPLITS
    ]
    vocabulary = {word: number for number, word in enumerate(sorted({w for side in sides for t in side for w in t}))}
    matrices = [np.zeros((len(side), len(vocabulary)), np.float32) for side in sides]
    for matrix, side in zip(matrices, sides, strict=True):
        for row, text in enumerate(side):
            matrix[row, [vocabulary[word] for word in text]] = 1
    for first, second in ((0, 1), (0, 2), (1, 2)):
        shared = matrices[first] @ matrices[second].T
        union = matrices[first].sum(1)[:, None] + matrices[second].sum(1)[None] - shared
        alike = np.argwhere((shared >= 0.75 * union) & (union >= 4))
        assert len(alike) == 0, [(sides[first][i], sides[second][j]) for i, j in alike[:5]]


def test_html_is_unescaped(texts: Texts) -> None:
    assert not any("&amp;" in example.text or "&lt;" in example.text for example in texts.train)


@pytest.mark.parametrize(("rating", "label"), [(-4, 0), (-0.5, 0), (-0.49, 1), (0, 1), (0.49, 1), (0.5, 2), (4, 2)])
def test_classes_follow_the_threshold(rating: float, label: int) -> None:
    assert tweets.label_of(rating) == label


def test_the_first_test_texts_are_a_fair_sample(texts: Texts) -> None:
    """The shares of their classes are within three standard errors of those of all texts."""
    for label in range(3):
        whole = np.mean([example.label == label for example in texts.test])
        sample = np.mean([example.label == label for example in texts.test[:100]])
        assert abs(sample - whole) < 3 * np.sqrt(whole * (1 - whole) / 100)


def test_without_an_index_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only_index(monkeypatch, None)
    with pytest.raises(UserError, match=r"task 'tweets': cannot download the package vaderSentiment==3\.3\.2"):
        load_texts(TASK, tmp_path)
