"""The sentiment of tweets in 3 classes: 4,200 tweets that people rated from -4 (negative) to 4 (positive).

They are from C.J. Hutto and E. Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media
Text", ICWSM 2014, under the MIT licence, in the source distribution of vaderSentiment. Pinbox defines the classes: a
mean rating of at most -0.5 is negative, one of at least 0.5 is positive, and all others are neutral.

Some tweets occur several times, with other capitals or an additional intensifier, each with its own rating.
Near-duplicates (see `split.near_duplicates`) are all in the same split. All of them are used for training, but only the
first for evaluation:

    | split      | negative | neutral | positive |   all |
    |------------|----------|---------|----------|-------|
    | train      |      756 |     548 |    1,662 | 2,966 |
    | validation |       95 |      71 |      222 |   388 |
    | test       |      215 |     149 |      434 |   798 |

The same study rated 19,503 sentences of film reviews, product reviews and newspaper editorials. They are the texts
without labels.
"""

from __future__ import annotations

import html
import io
import tarfile
from pathlib import Path
from typing import IO, Any

from runner.config.task import TaskConfig
from runner.errors import UserError
from runner.store.downloads import archive
from runner.tasks.split import near_duplicates, shuffled, split
from runner.tasks.texts import Example, Texts

LABELS = ["negative", "neutral", "positive"]
THRESHOLD = 0.5
_REQUIREMENT = "vaderSentiment==3.3.2"
_SHA256 = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
_INNER = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
_FOLDER = "hutto_ICWSM_2014"
_RATINGS = "tweets_GroundTruth.txt"
_UNLABELLED = (
    "amazonReviewSnippets_GroundTruth.txt",
    "movieReviewSnippets_GroundTruth.txt",
    "nytEditorialSnippets_GroundTruth.txt",
)


def load(task: TaskConfig, downloads: Path) -> Texts:
    """Return the tweets in their splits.

    Raises:
        UserError: if the package cannot be downloaded.
    """
    path = archive(_REQUIREMENT, _SHA256, downloads, where=f"task '{task.name}'", sdist=True)
    examples = [Example(text, label_of(rating)) for rating, text in _ratings(path, _RATINGS)]
    unlabelled = [Example(text, None) for name in _UNLABELLED for _, text in _ratings(path, name)]
    train, validation, test = split(examples)
    firsts = {examples[index] for index in near_duplicates([example.text for example in examples])}
    validation, test = ([example for example in side if example in firsts] for side in (validation, test))
    return Texts(LABELS, train, validation, test, shuffled(unlabelled))


def identity(task: TaskConfig) -> dict[str, Any]:
    """Return the pinned hash of the package."""
    return {"sha256": _SHA256}


def label_of(rating: float) -> int:
    """Return the class of a mean rating."""
    return 0 if rating <= -THRESHOLD else 2 if rating >= THRESHOLD else 1


def _ratings(path: Path, name: str) -> list[tuple[float, str]]:
    """Return the mean rating and the text of every line of a file, which holds a number, the rating and the text."""
    with tarfile.open(path) as outer, tarfile.open(fileobj=_member(outer, _INNER)) as inner:
        text = io.TextIOWrapper(_member(inner, f"{_FOLDER}/{name}"), encoding="utf-8").read()
    rows = [line.split("\t", 2) for line in text.splitlines()]
    return [(float(rating), html.unescape(tweet).strip()) for _, rating, tweet in rows]


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    file = tar.extractfile(name)
    if file is None:
        raise UserError(f"task 'tweets': {name} in {_REQUIREMENT} is not a file.")
    return file
