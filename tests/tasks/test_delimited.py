"""CSV is read as Excel and others write it. A delimiter that is not certain is refused."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from runner.config.task import Delimiter, TaskConfig
from runner.errors import UserError
from runner.tasks import lines
from runner.tasks.source import load_texts
from runner.tasks.texts import Example, Texts

ROWS = [("a, b; c\td | e", "x", "test"), ('so "he"\nsaid', "y", "test"), ("café", "x", "train")]
CHARACTERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}


def _load(folder: Path, content: str, name: str = "texts.csv", **keys: object) -> Texts:
    (folder / name).write_bytes(content.encode())
    task = TaskConfig(name="file", source="file", path=str(folder / name), **keys)  # type: ignore[arg-type]
    return load_texts(task, folder)


def _written(character: str, line_end: str = "\r\n", quoting: int = csv.QUOTE_MINIMAL) -> str:
    whole = io.StringIO()
    writer = csv.writer(whole, delimiter=character, lineterminator=line_end, quoting=quoting)  # type: ignore[arg-type]
    writer.writerows([("text", "label", "split"), *ROWS])
    return whole.getvalue()


@pytest.mark.parametrize("name", ["texts.csv", "texts.tsv", "TEXTS.CSV", "texts.csv.csv"])
@pytest.mark.parametrize("delimiter", CHARACTERS)
def test_the_delimiter_is_the_one_in_the_header(delimiter: str, name: str, tmp_path: Path) -> None:
    plain = _load(tmp_path, _written(","), "plain.csv")
    assert plain.notes == ()
    for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL):
        texts = _load(tmp_path, _written(CHARACTERS[delimiter], quoting=quoting), name)
        assert texts == plain
    notes = () if delimiter == "comma" else (f"task.path: {tmp_path / name}: read as {delimiter}-separated.",)
    assert texts.notes == notes


@pytest.mark.parametrize("line_end", ["\n", "\r"])
def test_lines_may_end_as_on_other_systems(line_end: str, tmp_path: Path) -> None:
    assert _load(tmp_path, _written(";", line_end)) == _load(tmp_path, _written(","))


@pytest.mark.parametrize("first", ["sep=;\r\n", '"sep=;"\r\n', "\ufeffsep=;\n"])
def test_excels_first_line_is_understood(first: str, tmp_path: Path) -> None:
    assert _load(tmp_path, first + _written(";")) == _load(tmp_path, _written(","))


def test_spaces_around_names_do_not_count(tmp_path: Path) -> None:
    """Nor do spaces before values if each name except the first has one: " x" would be another label than "x"."""
    texts = _load(tmp_path, 'text , label, split\n"a, b", x, test\nc,"y", train\n')
    assert (texts.test, texts.train, texts.labels) == ([Example("a, b", 0)], [Example("c", 1)], ["x", "y"])
    assert texts.notes[0].endswith("read as without the spaces after commas.")
    assert _load(tmp_path, "text,label, split\n a,x,test\nb, y,train\n").test == [Example(" a", 1)]


def test_a_split_by_another_name_is_not_passed_over(tmp_path: Path) -> None:
    """Otherwise the split would be drawn, and texts used for training would be used for testing."""
    with pytest.raises(UserError, match="has a column 'Split', but it must be called 'split'"):
        _load(tmp_path, "text,label,Split\na,x,test\nb,y,train\n")


def test_rows_of_delimiters_alone_are_no_rows(tmp_path: Path) -> None:
    assert _load(tmp_path, _written(";") + ";;\r\n;;\r\n") == _load(tmp_path, _written(","))


def test_a_last_column_without_a_name_is_no_harm(tmp_path: Path) -> None:
    trailing = "text;label;split;\na;x;test;\nb;y;train;\n"
    assert _load(tmp_path, trailing) == _load(tmp_path, "text,label,split\na,x,test\nb,y,train\n")


def test_a_text_may_be_long(tmp_path: Path) -> None:
    texts = _load(tmp_path, f"text,label,split\n{'word ' * 40_000},x,test\nb,y,train\n")
    assert len(texts.test[0].text) == 200_000


def test_a_quote_left_open_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_CHARACTERS", 100)
    with pytest.raises(UserError, match=r"line 2: it has more than 100 characters"):
        _load(tmp_path, f"text,label\n{'a' * 200},x\n")
    monkeypatch.setattr("runner.tasks.delimited.MAX_CHARACTERS", 100)
    with pytest.raises(UserError, match=r"not a CSV file: line 3: field larger than field limit"):
        _load(tmp_path, "text,label\na,x\n" + '"open,x\n' + "a,x\n" * 50)


def test_one_column_needs_no_delimiter(tmp_path: Path) -> None:
    """A delimiter is part of a text, unless all rows have the same number of them."""
    texts = _load(tmp_path, 'text\nHello; you\n"one, two"\nthree\n', label_column=None)
    assert sorted(example.text for example in texts.test) == ["Hello; you", "one, two", "three"]
    two = "text\na; b\nc; d\n"
    with pytest.raises(UserError, match=r"one column, but every row has 2 fields, separated by semicolons"):
        _load(tmp_path, two, label_column=None)
    declared = _load(tmp_path, two, label_column=None, delimiter=Delimiter.comma)
    assert sorted(example.text for example in declared.test) == ["a; b", "c; d"]


def test_a_declared_delimiter_is_taken(tmp_path: Path) -> None:
    doubtful = 'text,"label;text;x"\na,"b"\n'
    with pytest.raises(UserError, match=r"has no column 'x'"):
        _load(tmp_path, doubtful, label_column="x", delimiter=Delimiter.comma)
    assert _load(tmp_path, "text|note\na,b|c\nd|e\n", label_column=None, delimiter=Delimiter.pipe).test[0].label is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a;b;c\n1;2;3\n", r"has no column 'text'\. Allowed: a, b, c"),
        ("text,x;text\na,b;c\n", r"may be separated by commas or semicolons\. task\.delimiter names"),
        (
            "text;label\na,x\n",
            r"line 2: the number of fields differs from the header's: 1, not 2, separated by semicol",
        ),
        (
            "text,label\na,x,\n",
            r"line 2: the number of fields differs from the header's: 3, not 2, separated by commas",
        ),
        ("text,label\na,b,x\n", r"Quote texts that hold commas"),
        (
            "text;label\na;0,5\nb;1,0\n",
            r"line 2: column 'label' holds '0,5', which is either a number with a decimal comma or sev",
        ),
        (
            'text,label\na,"-1,5"\n',
            r"line 2: column 'label' holds '-1,5', which is either a number with a decimal comma",
        ),
        ('text,label\n"so \\"he\\" said",x\n', r"line 2: ',' expected after '\"'\. Close every quote, and double"),
        ('text\tlabel\n"so" he said\tx\n', r"line 2: a tab expected after '\"'"),
        ('text,label\na,x\n"never closed,y\nb,x\n', r"line 3: unexpected end of data\. Close every quote"),
        ('text\tlabel\n"a\tx\nb"\ty\n', r"line 2: a quote opens here and closes in line 3, with tabs in between"),
    ],
)
def test_what_is_not_certain_is_refused(content: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        _load(tmp_path, content, label_column=None if content.startswith("text,x;") else "label")


def test_several_labels_may_have_a_comma_between_them(tmp_path: Path) -> None:
    content = 'text,label,split\na,"0,5",test\nb,5,test\nc,0,test\n'
    texts = _load(tmp_path, content, kind="multi-label", label_separator=",")
    assert texts.labels == ["0", "5"]
