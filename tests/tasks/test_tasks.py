"""Tasks are written and read back unchanged, with the same bytes every time."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.config.task import TaskConfig
from runner.config.task_kinds import TOKENS
from runner.errors import UserError
from runner.tasks.source import load_texts, task_identity
from runner.tasks.texts import SPLITS, Example, Texts, read_labels, read_split, write_texts

TEXTS = Texts(["bad", "gut 👍"], [Example("a\nb", 0), Example("ü \u2028", 1)], [Example("c", 1)], [Example("d", 0)])


def test_texts_survive_writing_and_reading(tmp_path: Path) -> None:
    write_texts(TEXTS, tmp_path)
    read = [read_split(tmp_path, split) for split in SPLITS]
    assert Texts(read_labels(tmp_path), *read) == TEXTS


def test_the_bytes_are_the_same_every_time(tmp_path: Path) -> None:
    written = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_texts(TEXTS, tmp_path / name)
        written.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert written[0] == written[1]
    assert set(written[0]) == {
        "train.jsonl",
        "validation.jsonl",
        "test.jsonl",
        "unlabelled.jsonl",
        "labels.json",
        "kind.json",
        "stated.json",
    }


def test_an_unknown_task_is_refused(tmp_path: Path) -> None:
    task = TaskConfig(name="x", source="twets")
    with pytest.raises(UserError, match=r"task\.source: there is no task 'twets'\. Did you mean 'tweets'"):
        load_texts(task, tmp_path)
    with pytest.raises(UserError, match="there is no task"):
        task_identity(task)


def test_words_of_alice_can_be_tagged(tmp_path: Path) -> None:
    texts = load_texts(TaskConfig(name="alice", source="alice", kind=TOKENS, label_column=None), tmp_path)
    assert texts.kind == TOKENS
    assert {len(example.text.split()) == len(example.words or ()) for example in texts.test} == {True}


def test_only_so_many_test_texts_are_evaluated(tmp_path: Path) -> None:
    every = TaskConfig(name="alice", source="alice")
    some = TaskConfig(name="alice", source="alice", max_test_texts=3)
    assert load_texts(some, tmp_path).test == load_texts(every, tmp_path).test[:3]
    assert task_identity(some) != task_identity(every)
    with pytest.raises(UserError, match=r"task\.max_test_texts is 0, but must be at least 1"):
        TaskConfig(name="alice", source="alice", max_test_texts=0)


def test_alice_has_16_sentences_and_no_labels(tmp_path: Path) -> None:
    texts = load_texts(TaskConfig(name="alice", source="alice"), tmp_path)
    assert (texts.labels, texts.train, texts.validation, len(texts.test)) == ([], [], [], 16)
    assert texts.test[0].text.startswith("Alice was beginning to get very tired of sitting by her sister")
    assert {example.label for example in texts.test} == {None}
    assert all(" ".join(example.text.split()) == example.text for example in texts.test)
    write_texts(texts, tmp_path)
    assert (tmp_path / "train.jsonl").read_text() == ""
