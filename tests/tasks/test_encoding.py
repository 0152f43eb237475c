"""A text file is read in the encoding that its first bytes or the task name. It is never guessed."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from runner.config.task import TaskConfig
from runner.errors import UserError
from runner.tasks.source import load_texts, task_identity
from runner.tasks.texts import Texts

TEXT = "text;label;split\r\ncafé – “naïve”;x;test\r\nplain;y;train\r\n"
JSON_LINES = '{"text": "café", "label": "x", "split": "test"}\n{"text": "b", "label": "y", "split": "train"}\n'


def _load(folder: Path, content: bytes, encoding: str | None = None, name: str = "texts.csv") -> Texts:
    (folder / name).write_bytes(content)
    return load_texts(TaskConfig(name="file", source="file", path=str(folder / name), encoding=encoding), folder)


@pytest.mark.parametrize(
    ("content", "declared", "message"),
    [
        (TEXT.encode(), None, ""),
        (TEXT.encode(), "UTF8", ""),
        (TEXT.encode("utf-8-sig"), None, ""),
        (TEXT.encode("utf-8-sig"), "utf-8", ""),
        (TEXT.encode("utf-16"), None, ", UTF-16"),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), None, ", UTF-16"),
        (TEXT.encode("utf-16"), "utf-16-le", ", UTF-16"),
        (TEXT.encode("utf-16-be"), "utf-16-be", ", utf-16-be"),
        (TEXT.encode("utf-32"), None, ", UTF-32"),
        (TEXT.encode("cp1252"), "cp1252", ", cp1252"),
        (TEXT.encode("cp1252"), "windows-1252", ", cp1252"),
    ],
)
def test_the_same_text_is_read_from_every_encoding(
    content: bytes, declared: str | None, message: str, tmp_path: Path
) -> None:
    texts = _load(tmp_path, content, declared)
    assert (texts.test[0].text, texts.train[0].text) == ("café – “naïve”", "plain")
    assert texts.notes[0].endswith(f"read as semicolon-separated{message}.")


def test_json_lines_are_decoded_in_the_same_way(tmp_path: Path) -> None:
    plain = _load(tmp_path, JSON_LINES.encode(), name="texts.jsonl")
    assert _load(tmp_path, JSON_LINES.encode("utf-16"), name="texts.ndjson") == plain
    assert _load(tmp_path, JSON_LINES.encode("cp1252"), "cp1252", name="texts.json") == plain


@pytest.mark.parametrize(
    ("content", "declared", "message"),
    [
        (TEXT.encode("cp1252"), None, r"line 2: byte 0xe9 is not UTF-8.*'.*café – “naïve”.*set task\.encoding=cp1252"),
        (b"text,label\n" + b"a,x\n" * 5000 + b"\xe9,y\n", None, r"line 5002: byte 0xe9"),
        (b"text,label\n\x81,y\n", "cp1252", r"line 2: byte 0x81 is not cp1252.*task\.encoding names"),
        (TEXT.encode("utf-16-le"), None, r"There are NULs, so it may be UTF-16: .*task\.encoding=utf-16-le"),
        ("text,label\na,x\n".encode("utf-16-le"), None, r"line 1: it contains a NUL.*task\.encoding=utf-16-le"),
        (TEXT.encode("utf-16")[:-1], None, r"is not UTF-16, or is incomplete"),
        (TEXT.encode("utf-16"), "cp1252", r"begins with the mark of UTF-16, but task\.encoding is 'cp1252'"),
        (TEXT.encode(), "cp1252", r"is UTF-8, and task\.encoding=cp1252 would read some of its letters wrongly"),
        (TEXT.encode(), "cp1251x", r"task\.encoding is 'cp1251x', which is not an encoding.*such as utf-8"),
        (TEXT.encode(), "zlib", r"task\.encoding is 'zlib', which is not an encoding"),
        (b"text,label\na,x\n", "undefined", r"is not undefined"),
    ],
)
def test_what_cannot_be_decoded_is_refused(content: bytes, declared: str | None, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        _load(tmp_path, content, declared)


def test_the_identity_follows_what_is_declared(tmp_path: Path) -> None:
    (tmp_path / "texts.csv").write_text(TEXT)
    path = str(tmp_path / "texts.csv")
    identity, other = (
        task_identity(TaskConfig("file", "file", path=path, encoding=name)) for name in ("cp1252", "cp1250")
    )
    assert identity != other
