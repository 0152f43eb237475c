"""JSON Lines and Parquet are read and refused like CSV, with the line or row, the column and what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runner.config.task import TaskConfig
from runner.errors import UserError
from runner.tasks import content
from runner.tasks.source import load_texts, task_identity
from runner.tasks.texts import Example, Texts

ROWS: list[dict[str, Any]] = [
    {"text": "a, b", "label": "x", "split": "train"},
    {"text": "ü 👍", "label": "y", "split": "validation"},
    {"text": "line\nbreak", "label": "x", "split": "test"},
]


def _load(file: Path, **keys: str | None) -> Texts:
    return load_texts(TaskConfig(name="file", source="file", path=str(file), **keys), file.parent)  # type: ignore[arg-type]


def _jsonl(folder: Path, content: str | bytes) -> Path:
    file = folder / "texts.jsonl"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def _parquet(folder: Path, table: Any, **options: Any) -> Path:
    pq.write_table(table, folder / "texts.parquet", **options)
    return folder / "texts.parquet"


def test_all_three_kinds_of_file_give_the_same_texts(tmp_path: Path) -> None:
    lines = ["split,text,label", *(f'{row["split"]},"{row["text"]}",{row["label"]}' for row in ROWS)]
    (tmp_path / "texts.csv").write_text("\n".join(lines))
    _jsonl(tmp_path, "\n\n".join(json.dumps(row | {"more": [1]}) for row in ROWS))
    _parquet(tmp_path, pa.Table.from_pylist(ROWS))
    loaded = [_load(tmp_path / f"texts.{kind}") for kind in ("csv", "jsonl", "parquet")]
    assert loaded[0] == loaded[1] == loaded[2]
    expected = Texts(["x", "y"], [Example("a, b", 0)], [Example("ü 👍", 1)], [Example("line\nbreak", 0)], stated=False)
    assert loaded[0] == expected


@pytest.mark.parametrize(
    ("values", "labels"),
    [([1, 10, 2], ["1", "2", "10"]), ([True, False, True], ["false", "true"]), ([2.0, 3.0, 2.0], ["2", "3"])],
)
def test_labels_may_be_numbers_or_booleans(values: list[Any], labels: list[str], tmp_path: Path) -> None:
    rows = [{"text": f"t{number}", "label": value} for number, value in enumerate(values * 9)]
    for file in (
        _jsonl(tmp_path, "".join(json.dumps(row) + "\n" for row in rows)),
        _parquet(tmp_path, pa.Table.from_pylist(rows)),
    ):
        assert _load(file).labels == labels


def test_the_names_of_numbered_labels_are_found(tmp_path: Path) -> None:
    """The library datasets writes them."""
    features = {"text": {"_type": "Value"}, "label": {"names": ["neg", "pos"], "_type": "ClassLabel"}}
    metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    table = pa.table({"text": ["a", "b"], "label": [1, 0], "split": ["test", "train"]})
    texts = _load(_parquet(tmp_path, table.replace_schema_metadata(metadata)))
    assert (texts.labels, texts.test) == (["neg", "pos"], [Example("a", 1)])
    hidden = pa.table({"text": ["a", "b"], "label": [1, -1]}).replace_schema_metadata(metadata)
    with pytest.raises(UserError, match="row 2: column 'label' is empty"):
        _load(_parquet(tmp_path, hidden))


def test_a_second_column_makes_pairs(tmp_path: Path) -> None:
    file = _jsonl(tmp_path, "".join(json.dumps(row | {"other": f"not {row['text']}"}) + "\n" for row in ROWS))
    texts = _load(file, text_pair_column="other")
    assert texts.test == [Example("line\nbreak", 0, "not line\nbreak")]
    with pytest.raises(UserError, match=r"task\.text_pair_column: .* has no column 'second'.*or null if texts are"):
        _load(file, text_pair_column="second")
    with pytest.raises(UserError, match="line 1: column 'other' is empty"):
        _load(_jsonl(tmp_path, '{"text": "a", "label": "x", "other": ""}'), text_pair_column="other")


def test_pairs_are_split_by_both_texts(tmp_path: Path) -> None:
    """Many questions about one text must be in all splits."""
    rows = [{"text": "one", "other": f"word{n} word{2 * n + 1} word{n * n}", "label": str(n % 2)} for n in range(150)]
    texts = _load(_jsonl(tmp_path, "".join(json.dumps(row) + "\n" for row in rows)), text_pair_column="other")
    assert len(texts.train) > len(texts.test) > len(texts.validation) > 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"text": "a"}\n', r"task\.label_column: .*texts\.jsonl has no column 'label'\. Allowed: text\. Set task"),
        ("", r"texts\.jsonl holds no rows"),
        ('{"text": "a", "label": "x"}\n{"text": "b"}\n', r"line 2: column 'label' is empty"),
        ('{"text": "a", "label": "x"}\n{"text": " ", "label": "x"}\n', r"line 2: column 'text' is empty"),
        ('{"text": 3, "label": "x"}\n', r"line 1: column 'text' holds 3, which is not a text"),
        ('{"text": "a", "label": 0.5}\n', r"line 1: column 'label' holds 0\.5, but a label must be"),
        ('{"text": "a", "label": {}}\n', r"line 1: column 'label' holds \{\}, but a label must be"),
        ('{"text": "a", "label": "x", "split": "dev"}\n', r"line 1: split is 'dev'\. Allowed: train"),
        (
            '{"text": "a", "label": "x"}\n{"text": "b", "label": "x", "split": "test"}',
            r"line 2: this line has a split, but",
        ),
        ('{"text": "a\\u0000", "label": "x"}\n', r"line 1: a text contains a NUL"),
        ('{"text": "a\\ud800", "label": "x"}\n', r"line 1: a text contains a NUL or half a character"),
        ('{"text": "a", "label": "x"}\n["a", "x"]\n', r"line 2: it is not a JSON object"),
        ('["a", "x"]\n', r"line 1: it is a JSON array, not JSON Lines.*jq -c '\.\[\]' texts\.jsonl > texts\.jsonl"),
        ('{\n"text": "a"}', r"line 1: it is a JSON object over several lines, not JSON Lines"),
        ('{"text": "a", "label": "x"}\n{"text": \n', r"not a JSON Lines file: line 2: Expecting value"),
        ('{"text": ' + "[" * 100_000, r"not a JSON Lines file: line 1: it is nested too deeply"),
        (
            '{"text": "a", "label": ' + "9" * 5000 + "}",
            r"not a JSON Lines file: line 1: it is nested .* or a number is too long",
        ),
        (b"\xff\n", r"line 1: byte 0xff is not UTF-8"),
    ],
)
def test_a_bad_jsonl_file_is_refused(content: str | bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        _load(_jsonl(tmp_path, content))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pa.table({"text": ["a"]}), r"texts\.parquet has no column 'label'"),
        (pa.table({"text": pa.array([], pa.string()), "label": pa.array([], pa.string())}), "holds no rows"),
        (pa.table({"text": ["a", None], "label": ["x", "y"]}), "row 2: column 'text' is empty"),
        (pa.table({"text": ["a"], "label": [{"b": 1}]}), r"column 'label' is of type struct.*must hold texts"),
        (pa.table([["a"], ["b"], ["c"]], names=["text", "text", "label"]), "more than one column 'text'"),
    ],
)
def test_a_bad_parquet_file_is_refused(table: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        _load(_parquet(tmp_path, table))


def test_what_is_no_parquet_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "texts.parquet").write_bytes(b"PAR1 no more than that PAR1")
    with pytest.raises(UserError, match=r"texts\.parquet is not a Parquet file"):
        _load(tmp_path / "texts.parquet")


@pytest.mark.slow
def test_a_file_that_unpacks_to_much_more_is_refused_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has 100 KB on disk: each text is once in a dictionary, but many times in the column."""
    monkeypatch.setattr(content, "MAX_BYTES", 10_000_000)
    file = _parquet(tmp_path, pa.table({"text": ["long " * 20_000] * 20_000, "label": ["x"] * 20_000}))
    assert file.stat().st_size < 200_000
    with pytest.raises(UserError, match="unpacks to more than"):
        _load(file)


def test_texts_may_be_string_views(tmp_path: Path) -> None:
    """Polars writes them."""
    table = pa.table({"text": pa.array(["a", "b"], pa.string_view()), "label": ["x", "y"], "split": ["test", "test"]})
    assert _load(_parquet(tmp_path, table)).labels == ["x", "y"]


def test_a_file_that_is_too_large_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "MAX_BYTES", 10)
    with pytest.raises(UserError, match="Take a sample of it"):
        _load(_jsonl(tmp_path, '{"text": "a"}\n'))


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "texts.xlsx").write_text("x")
    with pytest.raises(UserError, match=r"'texts\.xlsx' ends in '\.xlsx'\. Allowed: \.csv, \.tsv, \.jsonl, "):
        _load(tmp_path / "texts.xlsx")


def test_the_identity_follows_the_columns(tmp_path: Path) -> None:
    """The same file gives other texts if it is read in another way."""
    file = _jsonl(tmp_path, "")
    identity, other = (
        task_identity(TaskConfig(name="file", source="file", path=str(file), text_column=column)) for column in "ab"
    )
    assert identity != other
