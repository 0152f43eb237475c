"""A task's texts as records and as files. Boxes read them, so this module uses only the standard library."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from runner.config.task_kinds import SINGLE_LABEL

SPLITS = ("train", "validation", "test")
UNLABELLED, DOCUMENTS = "unlabelled", "documents"
NUMBER_PATTERN = re.compile(r"[+-]?\d{1,18}(\.\d{0,18})?")  # a label that is a plain number


class Judgement(NamedTuple):
    """How people judge two texts.

    Attributes:
        first, second: the places of the two texts among the test texts. In a task of kind retrieval, they are the place
            of a query among the test texts, and of a document among the documents. In a task of kind rerank, they are
            the number of a query, and the place of its pair with a document among the test texts. `second` is below 0
            for a document that is not among the candidates.
        score: how alike the texts are, or how relevant the document is. Any scale is allowed, but a document is
            relevant only if its score is above 0.
    """

    first: int
    second: int
    score: float


class Example(NamedTuple):
    """One text of a task, or a pair of texts.

    Attributes:
        text: the text, or the first text of a pair.
        label: the place of its label in `Texts.labels`, or None if its label is not known. If a text may have several
            labels, it is a tuple of places in rising order. For the kind tokens, it is a tuple of one place per word.
        pair: the second text of a pair.
        words: the words of the text, for the kind tokens. The text is these words with spaces between them.
        slices: its values of `task.slice_columns`; None without such columns.
    """

    text: str
    label: int | tuple[int, ...] | None
    pair: str | None = None
    words: tuple[str, ...] | None = None
    slices: tuple[str, ...] | None = None

    @property
    def tokenizer_input(self) -> str | tuple[str, ...]:
        """The input of a tokenizer: the text, both texts of a pair, or the words."""
        return self.words or (self.text if self.pair is None else (self.text, self.pair))

    @property
    def whole(self) -> str:
        """The text, or both texts of a pair as one text."""
        return self.text if self.pair is None else f"{self.text}\n{self.pair}"


@dataclass(frozen=True)
class Texts:
    """A task's texts. Each split is in a fixed order. If it is shuffled, its first N are a fair sample of it.

    Attributes:
        labels: the names of the labels. They are empty if the task has none.
        train: the texts for training.
        validation: the texts for choosing between epochs.
        test: the texts for measuring and evaluating. Steps that need texts without labels use them only if there are no
            others.
        unlabelled: similar texts without labels, for steps that learn from a teacher.
        kind: how the texts are evaluated; see `runner.config.task_kinds`.
        drawn: whether `test` was drawn from texts without a split.
        stated: whether the user or the data set stated the order of the labels. If not, it is alphabetical and has no
            meaning.
        documents: the documents in which the test texts, which are queries, are searched; empty for other kinds than
            retrieval.
        judgements: how people judge the texts. For the kind similarity, each is of two test texts that follow each
            other.
        notes: remarks for the user on how the texts were read.
    """

    labels: list[str]
    train: list[Example]
    validation: list[Example]
    test: list[Example]
    unlabelled: list[Example] = field(default_factory=list)
    kind: str = SINGLE_LABEL
    drawn: bool = False
    stated: bool = True
    documents: list[Example] = field(default_factory=list)
    judgements: list[Judgement] = field(default_factory=list)
    notes: tuple[str, ...] = field(default=(), compare=False)


def write_texts(texts: Texts, folder: Path) -> None:
    """Write a file for each split, unlabelled.jsonl, labels.json, kind.json and stated.json into `folder`.

    If people judged the texts, write judgements.json, too, and documents.jsonl if there are documents.

    The same texts always give the same bytes.
    """
    for split in (*SPLITS, UNLABELLED, *([DOCUMENTS] if texts.documents else [])):
        lines = [_line(example) for example in getattr(texts, split)]
        (folder / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8")
    (folder / "labels.json").write_text(json.dumps(texts.labels, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "kind.json").write_text(json.dumps(texts.kind) + "\n", encoding="utf-8")
    (folder / "stated.json").write_text(json.dumps(texts.stated) + "\n", encoding="utf-8")
    if texts.judgements:
        (folder / "judgements.json").write_text(json.dumps(texts.judgements) + "\n", encoding="utf-8")


def read_split(folder: Path, split: str) -> list[Example]:
    """Return the examples of a split, "unlabelled" or "documents" from a folder that `write_texts` filled."""
    path = folder / f"{split}.jsonl"
    if split == DOCUMENTS and not path.exists():
        return []
    with path.open(encoding="utf-8") as lines:
        return [_example(json.loads(line)) for line in lines]


def texts_to_learn_from(folder: Path) -> tuple[str, list[Example]]:
    """Return texts for steps that need no labels, and their split: train, or else documents, or else test.

    Documents are known before the first query arrives.

    Args:
        folder: a folder that `write_texts` filled.
    """
    found = ((split, read_split(folder, split)) for split in ("train", DOCUMENTS))
    return next(((split, examples) for split, examples in found if examples), ("test", read_split(folder, "test")))


def _example(values: dict[str, Any]) -> Example:
    fields: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}
    return Example(**fields)


def _line(example: Example) -> str:
    values = {key: value for key, value in example._asdict().items() if key == "label" or value is not None}
    return json.dumps(values, ensure_ascii=False) + "\n"


def read_pairs(folder: Path) -> bool:
    """Return whether the texts in a folder that `write_texts` filled are pairs."""
    with (folder / "test.jsonl").open(encoding="utf-8") as lines:
        return "pair" in json.loads(next(lines, "{}"))


def read_kind(folder: Path) -> str:
    """Return the kind of the texts in a folder that `write_texts` filled; see `runner.config.task_kinds`."""
    return str(json.loads((folder / "kind.json").read_text(encoding="utf-8")))


def read_labels(folder: Path) -> list[str]:
    """Return the names of the labels in a folder that `write_texts` filled; empty for a task without labels."""
    labels: list[str] = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    return labels


def read_judgements(folder: Path) -> list[Judgement]:
    """Return how people judged the texts in a folder that `write_texts` filled; empty if they did not."""
    path = folder / "judgements.json"
    return [Judgement(*entry) for entry in json.loads(path.read_text(encoding="utf-8"))] if path.exists() else []


def read_stated(folder: Path) -> bool:
    """Return whether the order of the labels in a folder that `write_texts` filled was stated; see `Texts`."""
    return bool(json.loads((folder / "stated.json").read_text(encoding="utf-8")))
