"""The lines of a text file, decoded as its first bytes or the task say."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from dataclasses import dataclass

from runner.errors import UserError
from runner.tasks.content import Content

MAX_CHARACTERS = 2**26  # of a line, and of a field: a quote left open would otherwise read all of a large file as one
_MARKS = {  # byte order marks; those that others begin with come last
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_NAMES = {"utf-8": "UTF-8", "utf-16": "UTF-16", "utf-32": "UTF-32"}
_ALLOWED = "task.encoding names a text encoding, such as utf-8, utf-16, utf-16-le, cp1252 or cp1250; null detects it"
_UTF_16 = "task.encoding=utf-16-le"  # of what Windows writes without a mark
_EXCERPT_BYTES = 16


@dataclass(frozen=True)
class TextFile:
    """A file's content, and the name of its encoding."""

    content: Content
    encoding: str

    def lines(self, skip: int = 0) -> Lines:
        """Return its lines from the first on, but for the `skip` first ones."""
        return Lines(self, skip)

    @property
    def read_as(self) -> tuple[str, ...]:
        """How it is read, but for UTF-8 that is not compressed."""
        encoding = () if self.encoding == "utf-8" else (_NAMES.get(self.encoding, self.encoding),)
        return encoding + ((self.content.compression,) if self.content.compression else ())


class Lines:
    """The lines of a file with their ends, and the number of the last one that was read, from 1 on."""

    def __init__(self, file: TextFile, skip: int) -> None:
        self._file, self._skip = file, skip
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        """Yield the lines; raise a `UserError` where one is too long or cannot be decoded."""
        where, encoding = self._file.content.where, self._file.encoding
        with io.TextIOWrapper(self._file.content.open(), encoding=encoding, newline="") as file:
            try:
                while line := file.readline(MAX_CHARACTERS + 1):
                    self.number += 1
                    if len(line) > MAX_CHARACTERS:
                        raise UserError(
                            f"{where}, line {self.number}: it has more than {MAX_CHARACTERS:,} characters, and no "
                            "longer one is read. Cut it, or remove the row."
                        )
                    line = line.removeprefix("\ufeff") if self.number == 1 else line
                    if self.number > self._skip:
                        yield line
            except UnicodeDecodeError as error:
                raise self._undecodable(error) from None
            except UnicodeError as error:
                raise UserError(f"{where} is not {encoding}: {error}. {_ALLOWED}.") from None

    def _undecodable(self, error: UnicodeDecodeError) -> UserError:
        """Return the refusal of bytes that are not of the encoding."""
        where, encoding, whole = self._file.content.where, self._file.encoding, error.object
        name = _NAMES.get(encoding, encoding)
        if encoding.startswith(("utf-16", "utf-32")):
            return UserError(f"{where} is not {name}, or was cut short ({error.reason}). {_ALLOWED}.")
        line = self.number + len((whole[: error.start] + b".").splitlines())
        said = f"{where}, line {line}: byte 0x{whole[error.start]:02x} is not {name} ({error.reason})."
        if encoding != "utf-8":
            return UserError(f"{said} {_ALLOWED}.")
        if b"\0" in whole:
            return UserError(f"{said} There are NULs, so it may be UTF-16: save it as UTF-8, or say {_UTF_16}.")
        near = whole[max(0, error.start - _EXCERPT_BYTES) : error.start + _EXCERPT_BYTES].decode("cp1252", "replace")
        return UserError(
            f"{said} Save it as UTF-8, or say what it is. If {near!r} reads as it should, say task.encoding=cp1252, "
            "which is what Windows writes in Western Europe and America."
        )


def text_file(content: Content, declared: str | None) -> TextFile:
    """Return a file as text: in the encoding that its byte order mark says, or that is declared, or else in UTF-8.

    Raises:
        UserError: if there is no such encoding, or the file is surely in another one.
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
        raise UserError(f"task.encoding is '{declared}', which is none. {_ALLOWED}.") from None
    if marked and not name.startswith(marked):
        raise UserError(
            f"{where} begins with the mark of {_NAMES[marked]}, but task.encoding is '{declared}'. Set "
            "task.encoding=null."
        )
    if not name.startswith("utf") and _is_utf8(content):
        raise UserError(
            f"{where} is UTF-8, with letters that task.encoding={declared} would read as others. Set "
            "task.encoding=null."
        )
    return TextFile(content, marked or name)


def _is_utf8(content: Content) -> bool:
    """Whether all is UTF-8, and not all ASCII, which most encodings share."""
    decoder, ascii_only = codecs.getincrementaldecoder("utf-8")(), True
    with content.open() as file:
        try:
            while some := file.read(2**16):
                decoder.decode(some)
                ascii_only = ascii_only and some.isascii()
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return not ascii_only
