"""A user's CSV file is read as it is meant, or refused with the line, the column and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.config.task import TaskConfig
from runner.errors import UserError
from runner.tasks.source import load_texts, task_identity
from runner.tasks.texts import Example, Texts


def _load(path: Path, content: str | bytes, **keys: str | None) -> Texts:
    file = path / "texts.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load_texts(TaskConfig(name="file", source="file", path=str(file), **keys), path)  # type: ignore[arg-type]


def _rows(count: int) -> str:
    return "".join(f"w{7 * n} w{11 * n + 1} w{13 * n + 2},{'good' if n % 2 else 'bad'}\n" for n in range(count))


def test_without_a_split_column_all_three_sides_are_filled(tmp_path: Path) -> None:
    texts = _load(tmp_path, "text,label\n" + _rows(200))
    assert texts.labels == ["bad", "good"]
    assert len(texts.train) > len(texts.test) > len(texts.validation) > 5
    assert texts.drawn
    assert texts == _load(tmp_path, "text,label\n" + _rows(200))


def test_a_split_column_decides(tmp_path: Path) -> None:
    texts = _load(tmp_path, "split,text,label\ntrain,a,1\ntest,b,10\nvalidation,c,2\ntest,d,2\n")
    assert texts.labels == ["1", "2", "10"]
    assert not texts.drawn
    assert (texts.train, texts.validation) == ([Example("a", 0)], [Example("c", 1)])
    assert sorted(texts.test) == [Example("b", 2), Example("d", 1)]


def test_unlabelled_rows_need_no_label_and_name_none(tmp_path: Path) -> None:
    content = "split,text,label\nunlabelled,u,\ntrain,a,good\ntest,b,bad\nunlabelled,v,not a class\n"
    texts = _load(tmp_path, content)
    assert texts.labels == ["bad", "good"]
    assert sorted(texts.unlabelled) == [Example("u", None), Example("v", None)]
    assert (texts.train, texts.validation, texts.test) == ([Example("a", 1)], [], [Example("b", 0)])


@pytest.mark.parametrize("content", ["split,text,label\nunlabelled,u,\n", "split,text,label\nunlabelled,u,good\n"])
def test_a_file_of_unlabelled_rows_alone_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(UserError, match=r"no row of .*texts\.csv has a label in column 'label'"):
        _load(tmp_path, content)


def test_without_labels_all_texts_are_tested(tmp_path: Path) -> None:
    texts = _load(tmp_path, 'body\n"one, two"\nthree\n', text_column="body", label_column=None)
    assert (texts.labels, texts.train, texts.validation) == ([], [], [])
    assert sorted(example.text for example in texts.test) == ["one, two", "three"]
    assert {example.label for example in texts.test} == {None}


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    texts = _load(tmp_path, b"\xef\xbb\xbftext\na\n", label_column=None)
    assert texts.test == [Example("a", None)]


@pytest.mark.parametrize(
    ("content", "keys", "message"),
    [
        (
            "body,label\na,x\n",
            {},
            r"task\.text_column: .*texts\.csv has no column 'text'\. Allowed: body, label\. Set task\.text_column",
        ),
        (
            "text,labels\na,x\n",
            {},
            r"task\.label_column: .* has no column 'label'\. Did you mean 'labels'.*or null if there are no labels",
        ),
        ("", {}, r"has no column 'text'\. Allowed: none"),
        ("text,label\n", {}, r"texts\.csv holds no rows"),
        ("text,label\na,x\nb,x\n", {}, r"all rows of .* have the label 'x'.*at least two labels"),
        ("text,label\na,x\nb,y,z\n", {}, r"line 3: the number of fields differs"),
        ("text,label\na\n", {}, r"line 2: the number of fields differs"),
        ("text,label\na,\n", {}, r"line 2: column 'label' is empty"),
        ("text,label\n ,x\n", {}, r"line 2: column 'text' is empty"),
        ("text,label,split\na,x,dev\n", {}, r"line 2: split is 'dev'\. Allowed: train, validation, test"),
        ("text,label,split\na,x,train\nb,y,train\n", {}, r"has no texts to test on"),
        (b"text,label\n\xff,x\n", {}, r"line 2: byte 0xff is not UTF-8 .*Save it as UTF-8"),
        ('text,label\n"a"b,x\n', {}, r"is not a CSV file: line 2: "),
    ],
)
def test_a_bad_file_is_refused(content: str | bytes, keys: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        _load(tmp_path, content, **keys)


def test_a_path_is_needed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"task\.path is not set\. Name a CSV, TSV, JSONL or Parquet file: task\.path="):
        load_texts(TaskConfig(name="file", source="file"), tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"task\.path: cannot read /no/such\.csv: No such file"):
        load_texts(TaskConfig(name="file", source="file", path="/no/such.csv"), tmp_path)


def test_the_identity_follows_the_content(tmp_path: Path) -> None:
    task = TaskConfig(name="file", source="file", path=str(tmp_path / "a.csv"))
    identities = []
    for content in ("one", "two", "one"):
        (tmp_path / "a.csv").write_text(content)
        identities.append(task_identity(task))
    assert identities[0] == identities[2] != identities[1]
