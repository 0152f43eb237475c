"""Decode the lines of a text file in the encoding that its first bytes or the task name."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from dataclasses import dataclass

from runner.errors import UserError
from runner.tasks.content import Content

MAX_CHARACTERS = 2**26  # in a line or a field; without a limit, an open quote would make a large file one field
_MARKS = {  # byte order marks; a mark comes after the longer ones that begin with it
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_NAMES = {"utf-8": "UTF-8", "utf-16": "UTF-16", "utf-32": "UTF-32"}
_ALLOWED = "task.encoding names a text encoding, such as utf-8, utf-16, utf-16-le, cp1252 or cp1250; null detects it"
_UTF_16 = "task.encoding=utf-16-le"  # Windows writes it without a mark
_EXCERPT_BYTES = 16


@dataclass(frozen=True)
class TextFile:
    """A file's content, and the name of its encoding."""

    content: Content
    encoding: str

    def lines(self, skip: int = 0) -> Lines:
        """Return the lines of the file without the first `skip` ones."""
        return Lines(self, skip)

    @property
    def read_as(self) -> tuple[str, ...]:
        """Its encoding and compression; empty for UTF-8 that is not compressed."""
        encoding = () if self.encoding == "utf-8" else (_NAMES.get(self.encoding, self.encoding),)
        return encoding + ((self.content.compression,) if self.content.compression else ())


class Lines:
    """The lines of a file with their line ends, and the number of the last line that was read, from 1 on."""

    def __init__(self, file: TextFile, skip: int) -> None:
        self._file, self._skip = file, skip
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        """Yield the lines, and raise a `UserError` if one is too long or cannot be decoded."""
        where, encoding = self._file.content.where, self._file.encoding
        with io.TextIOWrapper(self._file.content.open(), encoding=encoding, newline="") as file:
            try:
                while line := file.readline(MAX_CHARACTERS + 1):
                    self.number += 1
                    if len(line) > MAX_CHARACTERS:
                        raise UserError(
                            f"{where}, line {self.number}: it has more than {MAX_CHARACTERS:,} characters, which is "
                            "the limit. Cut it, or remove the row."
                        )
                    line = line.removeprefix("\ufeff") if self.number == 1 else line
                    if self.number > self._skip:
                        yield line
            except UnicodeDecodeError as error:
                raise self._undecodable(error) from None
            except UnicodeError as error:
                raise UserError(f"{where} is not {encoding}: {error}. {_ALLOWED}.") from None

    def _undecodable(self, error: UnicodeDecodeError) -> UserError:
        """Return the error for bytes that are invalid in the encoding."""
        where, encoding, whole = self._file.content.where, self._file.encoding, error.object
        name = _NAMES.get(encoding, encoding)
        if encoding.startswith(("utf-16", "utf-32")):
            return UserError(f"{where} is not {name}, or is incomplete ({error.reason}). {_ALLOWED}.")
        line = self.number + len((whole[: error.start] + b".").splitlines())
        problem = f"{where}, line {line}: byte 0x{whole[error.start]:02x} is not {name} ({error.reason})."
        if encoding != "utf-8":
            return UserError(f"{problem} {_ALLOWED}.")
        if b"\0" in whole:
            return UserError(f"{problem} There are NULs, so it may be UTF-16: save it as UTF-8, or set {_UTF_16}.")
        near = whole[max(0, error.start - _EXCERPT_BYTES) : error.start + _EXCERPT_BYTES].decode("cp1252", "replace")
        return UserError(
            f"{problem} Save it as UTF-8, or name its encoding. If {near!r} reads as it should, set "
            "task.encoding=cp1252, which Windows uses in Western Europe and America."
        )


def text_file(content: Content, declared: str | None) -> TextFile:
    """Return a file as text, in the encoding that its byte order mark or `declared` names, or else in UTF-8.

    Raises:
        UserError: if there is no such encoding, or if the file is certainly in another one.
    """
    where = content.where
    with content.open() as file:
        start = file.read(4)
    marked = next((encoding for mark, encoding in _MARKS.items() if start.startswith(mark)), None)
    if declared is None:
        return TextFile(content, marked or "utf-8")
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=declared)
        name = codecs.lookup(declared).name.removesuffix("-sig")
    except (LookupError, ValueError):
        raise UserError(f"task.encoding is '{declared}', which is not an encoding. {_ALLOWED}.") from None
    if marked and not name.startswith(marked):
        raise UserError(
            f"{where} begins with the mark of {_NAMES[marked]}, but task.encoding is '{declared}'. Set "
            "task.encoding=null."
        )
    if not name.startswith("utf") and _is_utf8(content):
        raise UserError(
            f"{where} is UTF-8, and task.encoding={declared} would read some of its letters wrongly. Set "
            "task.encoding=null."
        )
    return TextFile(content, marked or name)


def _is_utf8(content: Content) -> bool:
    """Return whether a file is UTF-8 and not only ASCII, which most encodings share."""
    decoder, ascii_only = codecs.getincrementaldecoder("utf-8")(), True
    with content.open() as file:
        try:
            while chunk := file.read(2**16):
                decoder.decode(chunk)
                ascii_only = ascii_only and chunk.isascii()
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return not ascii_only
