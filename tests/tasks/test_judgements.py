"""Pairs of texts with scores: what is read, in which order, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.config.task import TaskConfig
from runner.config.task_kinds import SIMILARITY
from runner.errors import UserError
from runner.tasks.source import load_texts
from runner.tasks.texts import Example, Texts, read_judgements, write_texts

HEAD = "sentence1,sentence2,score\n"
ROWS = "A dog runs.,A hound runs.,4.5\nA dog runs.,It rains.,0\nIt rains.,Rain falls.,5\n"


def _load(folder: Path, content: str, count: int | None = None) -> Texts:
    (folder / "pairs.csv").write_text(content)
    columns = {"text_column": "sentence1", "text_pair_column": "sentence2", "label_column": "score"}
    path = str(folder / "pairs.csv")
    task = TaskConfig(name="p", source="file", kind=SIMILARITY, path=path, max_test_texts=count, **columns)
    return load_texts(task, folder)


def _pairs(texts: Texts) -> dict[tuple[str, str], float]:
    return {(texts.test[first].text, texts.test[second].text): score for first, second, score in texts.judgements}


def test_each_pair_keeps_its_score(tmp_path: Path) -> None:
    texts = _load(tmp_path, HEAD + ROWS)
    assert _pairs(texts) == {
        ("A dog runs.", "A hound runs."): 4.5,
        ("A dog runs.", "It rains."): 0.0,
        ("It rains.", "Rain falls."): 5.0,
    }
    assert (texts.labels, texts.train, texts.kind) == ([], [], SIMILARITY)
    assert {(example.label, example.pair) for example in texts.test} == {(None, None)}


def test_the_order_does_not_depend_on_that_of_the_file(tmp_path: Path) -> None:
    reversed_rows = "".join(reversed(ROWS.splitlines(keepends=True)))
    texts = _load(tmp_path, HEAD + ROWS)
    assert texts == _load(tmp_path, HEAD + reversed_rows)


def test_the_texts_of_training_pairs_are_kept_without_their_scores(tmp_path: Path) -> None:
    sides = ("train", "test", "test")
    rows = "".join(f"{row},{side}\n" for row, side in zip(ROWS.splitlines(), sides, strict=True))
    texts = _load(tmp_path, "sentence1,sentence2,score,split\n" + rows)
    assert texts.train == [Example("A dog runs.", None), Example("A hound runs.", None)]
    assert len(texts.test) == 4
    assert len(texts.judgements) == 2


def test_a_sample_is_one_of_pairs(tmp_path: Path) -> None:
    whole, sample = _load(tmp_path, HEAD + ROWS), _load(tmp_path, HEAD + ROWS, count=2)
    assert _pairs(sample).items() <= _pairs(whole).items()
    assert (len(sample.test), len(sample.judgements)) == (4, 2)


def test_a_folder_of_texts_holds_them(tmp_path: Path) -> None:
    texts = _load(tmp_path, HEAD + ROWS)
    (tmp_path / "texts").mkdir()
    write_texts(texts, tmp_path / "texts")
    assert read_judgements(tmp_path / "texts") == texts.judgements


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a,b,high\n", r"line 2: column 'score' holds 'high', but with task\.kind=similarity must hold a number"),
        ("a,b,1\nc,d,nan\n", r"line 3: column 'score' holds 'nan'"),
        ("a,b,\n", r"line 2: column 'score' is empty"),
        ("a,,1\n", r"line 2: column 'sentence2' is empty"),
        ("a,b,3\nc,d,3.0\n", r"every pair to test on has the score 3 in column 'score'"),
    ],
)
def test_bad_pairs_are_refused(rows: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        _load(tmp_path, HEAD + rows)


def test_pairs_for_training_only_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no pairs to test on\. Add rows"):
        _load(tmp_path, "sentence1,sentence2,score,split\na,b,1,train\n")
