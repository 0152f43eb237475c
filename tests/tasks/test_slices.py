"""Columns that divide the texts are read with them, and refused where they do not divide anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.config.task import TaskConfig
from runner.errors import UserError
from runner.tasks.source import load_texts, task_identity
from runner.tasks.texts import Texts, read_split, write_texts

CONTENT = "text,label,source,row,split\none,a,web,1,test\ntwo,b,,2,test\nthree,a,web,3,test\nfour,b,mail,4,train\n"


def _load(folder: Path, columns: list[str], content: str = CONTENT, **keys: str | None) -> Texts:
    path = folder / "texts.csv"
    path.write_text(content)
    task = TaskConfig(name="mine", source="file", path=str(path), slice_columns=columns, **keys)  # type: ignore[arg-type]
    return load_texts(task, folder)


def test_values_stay_with_their_texts(tmp_path: Path) -> None:
    texts = _load(tmp_path, ["source"])
    assert {example.text: example.slices for example in texts.test} == {
        "one": ("web",),
        "two": ("(empty)",),
        "three": ("web",),
    }
    write_texts(texts, tmp_path)
    assert read_split(tmp_path, "test") == texts.test


def test_without_columns_nothing_is_written(tmp_path: Path) -> None:
    texts = _load(tmp_path, [])
    assert {example.slices for example in texts.test} == {None}
    write_texts(texts, tmp_path)
    assert "slices" not in (tmp_path / "test.jsonl").read_text()


def test_they_are_part_of_the_identity(tmp_path: Path) -> None:
    path = tmp_path / "texts.csv"
    path.write_text(CONTENT)
    tasks = [
        TaskConfig(name="mine", source="file", path=str(path), slice_columns=columns) for columns in ([], ["source"])
    ]
    assert task_identity(tasks[0]) != task_identity(tasks[1])


@pytest.mark.parametrize(
    ("columns", "keys", "message"),
    [
        (["sorce"], {}, "task.slice_columns: .* has no column 'sorce'. Did you mean 'source'"),
        (["row"], {}, "column 'row' of .* has a different value in each of the 3 texts to test on"),
        (["source"], {"label_column": None}, "slices compare the accuracy of labelled texts"),
        (["source"], {"kind": "embedding", "label_column": None}, "task.kind is embedding"),
    ],
)
def test_a_column_that_cannot_divide_is_refused(
    columns: list[str], keys: dict[str, str | None], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        _load(tmp_path, columns, **keys)
