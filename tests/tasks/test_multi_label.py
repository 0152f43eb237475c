"""Texts can have any number of labels, as a list or with a separator between them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runner.config.task import TaskConfig
from runner.config.task_kinds import MULTI_LABEL
from runner.errors import UserError
from runner.tasks.source import load_texts
from runner.tasks.texts import Example, Texts, read_kind, read_split, write_texts

ROWS: list[dict[str, Any]] = [
    {"text": "a", "label": ["sad", "angry"], "split": "train"},
    {"text": "b", "label": [], "split": "validation"},
    {"text": "c", "label": ["glad"], "split": "test"},
]


def _load(file: Path, **keys: Any) -> Texts:
    return load_texts(TaskConfig(name="t", source="file", path=str(file), kind=MULTI_LABEL, **keys), file.parent)


def _jsonl(folder: Path, rows: list[dict[str, Any]]) -> Path:
    (folder / "texts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "texts.jsonl"


def test_lists_and_separated_labels_are_read_alike(tmp_path: Path) -> None:
    lines = ["text,label,split", *(f"{row['text']},{' | '.join(row['label'])},{row['split']}" for row in ROWS)]
    (tmp_path / "texts.csv").write_text("\n".join(lines))
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "texts.parquet")
    loaded = [_load(file) for file in (_jsonl(tmp_path, ROWS), tmp_path / "texts.csv", tmp_path / "texts.parquet")]
    assert loaded[0] == loaded[1] == loaded[2]
    assert (loaded[0].labels, loaded[0].kind) == (["angry", "glad", "sad"], MULTI_LABEL)
    assert (loaded[0].train, loaded[0].validation) == ([Example("a", (0, 2))], [Example("b", ())])
    write_texts(loaded[0], tmp_path)
    assert read_split(tmp_path, "train") == loaded[0].train
    assert read_kind(tmp_path) == MULTI_LABEL


def test_another_separator(tmp_path: Path) -> None:
    (tmp_path / "texts.csv").write_text("text,label,split\na,x;y,train\nb,y,test\n")
    assert _load(tmp_path / "texts.csv", label_separator=";").labels == ["x", "y"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"label": 3}, r"line 1: column 'label' holds 3, but must hold a list of labels, or labels with '\|' between"),
        ({"label": ["x", ""]}, "line 1: column 'label' holds .*but must hold a list of labels"),
        ({"label": "x||y"}, "line 1: column 'label' holds .*but must hold a list of labels"),
        ({"label": ["x", {}]}, "line 1: column 'label' holds {}, but a label must be"),
        ({"label": ["x", "y", "x"]}, "line 1: column 'label' holds the label 'x' more than once"),
        ({"label": "x|x"}, "line 1: column 'label' holds the label 'x' more than once"),
        ({"label": None}, "line 1: column 'label' is empty"),
        ({"label": []}, "task.label_column: no row of .* has a label"),
    ],
)
def test_bad_labels_are_refused(row: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        _load(_jsonl(tmp_path, [{"text": "a"} | row]))


@pytest.mark.parametrize("row", [[0, 1, 0], [False, True, False], [0.0, 1.0, 0.0], "0|1|0"])
def test_a_zero_or_one_for_each_label_is_refused(row: list[Any] | str, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"text": "a", "label": ["sad"]}, {"text": "b", "label": row}]
    with pytest.raises(UserError, match=r"line 2: column 'label' holds .*, which looks like one 0 or 1 for each label"):
        _load(_jsonl(tmp_path, rows))


@pytest.mark.parametrize("values", [[0, 1], [False, True]])
def test_a_zero_or_one_for_each_of_two_labels_is_refused(values: list[Any], tmp_path: Path) -> None:
    no, yes = values
    rows = [
        {"text": text, "label": label} for text, label in zip("abc", ([yes, no], [no, yes], [no, yes]), strict=True)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "texts.parquet")
    for file, line in ((_jsonl(tmp_path, rows), "line 1"), (tmp_path / "texts.parquet", "row 1")):
        with pytest.raises(UserError, match=rf"{line}: .* one 0 or 1 for each label\. Write the names of the labels"):
            _load(file)


def test_labels_called_0_and_1_are_read_where_a_text_has_only_one(tmp_path: Path) -> None:
    rows = [{"text": text, "label": label, "split": "test"} for text, label in zip("ab", ([0, 1], [1]), strict=True)]
    assert {example.label for example in _load(_jsonl(tmp_path, rows)).test} == {(0, 1), (1,)}


def test_a_list_in_a_single_label_task_says_what_to_do(tmp_path: Path) -> None:
    task = TaskConfig(name="t", source="file", path=str(_jsonl(tmp_path, ROWS)))
    with pytest.raises(UserError, match=r"line 1: .* but a label must be .*task\.kind=multi-label"):
        load_texts(task, tmp_path)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"kind": "multilabel"}, "task.kind of 't' is 'multilabel'. Did you mean 'multi-label'"),
        ({"kind": MULTI_LABEL, "label_column": None}, "task.label_column is null"),
        ({"label_separator": ""}, "task.label_separator of 't' is empty"),
    ],
)
def test_a_kind_that_cannot_be_is_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        TaskConfig(name="t", source="file", **keys)
