"""Read the bytes of a file of texts, unpack them if its name says that they are compressed, and limit their number."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from runner.errors import UserError, first_line
from runner.tasks.rows import Source

MAX_BYTES = 2**30  # the limit for a file, and for the unpacked bytes of a compressed one
_MAX_LISTED_BYTES = 2**24  # the limit for a zip archive's list of files
_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd", ".zip": "zip"}
_MARKS = {  # the first bytes of kinds of files that often have a wrong name
    b"\x1f\x8b": "It is compressed by gzip. Add .gz to its name",
    b"\x28\xb5\x2f\xfd": "It is compressed by zstd. Add .zst to its name",
    b"PK\x03\x04": "It is a zip archive or an Excel workbook. Add .zip to the name of an archive, or save a workbook "
    "as CSV",
}
_BROKEN = (OSError, EOFError, ValueError, RuntimeError, struct.error, zlib.error, zipfile.BadZipFile)


@dataclass(frozen=True)
class Content:
    """The content of a file.

    Attributes:
        path: the path of the file.
        where: the file's name in errors.
        suffix: the kind of the content, such as ".csv".
        compression: gzip, zstd or zip; None if the file is not compressed.
        member: the path of the content in a zip archive.
    """

    path: Path
    where: Source
    suffix: str
    compression: str | None = None
    member: str = ""

    def open(self) -> io.BufferedReader:
        """Open the unpacked bytes. Reading raises a `UserError` if they cannot be unpacked or are too many."""
        if self.compression is None:
            return self.path.open("rb")
        try:
            return io.BufferedReader(_Unpacked(self._packed(), self))
        except _BROKEN as error:
            raise self.broken(error) from None

    def broken(self, error: Exception) -> UserError:
        """Return the error for a file that cannot be unpacked."""
        return UserError(
            f"{self.where} is not a complete {self.compression} file: {first_line(error)}. Compress the texts again."
        )

    def _packed(self) -> Any:
        if self.compression == "zip":
            return zipfile.ZipFile(cast(IO[bytes], _Archive(self.path))).open(self.member)
        import pyarrow as pa  # it notices an incomplete file, and needs little memory

        return pa.input_stream(str(self.path), compression=self.compression)


def content_of(path: Path, where: Source, kinds: Collection[str]) -> Content:
    """Return the content of a file, whose kind is given by the end of its name.

    Args:
        path: a readable file.
        where: the file's name in errors.
        kinds: the ends of the names of files that can be read, such as ".csv".

    Raises:
        UserError: if the file is of another kind, too large, or an archive without exactly one such file.
    """
    suffix = path.suffix.lower()
    compression = _COMPRESSIONS.get(suffix)
    if compression is None and suffix not in kinds:
        raise _unknown(path, where, kinds)
    if path.stat().st_size > MAX_BYTES:
        raise UserError(f"{where} has more than {MAX_BYTES >> 30} GiB, which is the limit. Take a sample of it.")
    if compression is None:
        _check_mark(path, where)
        return Content(path, where, suffix)
    if compression == "zip":  # its list of files names its content
        return _archived(Content(path, where, suffix, compression), kinds)
    inner = Path(path.stem).suffix.lower()
    if inner not in kinds:
        raise _unknown(Path(path.stem), where, kinds)
    return Content(path, where, inner, compression)


def check_unpacked(unpacked_bytes: int, where: Source) -> None:
    """Raise a `UserError` if more bytes were unpacked than the limit."""
    if unpacked_bytes > MAX_BYTES:
        raise UserError(f"{where} unpacks to more than {MAX_BYTES >> 30} GiB, which is the limit. Take a sample of it.")


def _unknown(path: Path, where: Source, kinds: Collection[str]) -> UserError:
    """Return the error for a file whose name has no known end."""
    return UserError(
        f"{where}: the name '{path.name}' ends in '{path.suffix}'. Allowed: {', '.join(kinds)}, each alone or followed "
        f"by {', '.join(_COMPRESSIONS)}."
    )


def _check_mark(path: Path, where: Source) -> None:
    with path.open("rb") as file:
        start = file.read(4)
    for mark, advice in _MARKS.items():
        if start.startswith(mark):
            raise UserError(f"{where} does not hold what its name says. {advice}.")


def _archived(archive: Content, kinds: Collection[str]) -> Content:
    """Return the only file in an archive that can be read."""
    path, where = archive.path, archive.where
    try:
        with zipfile.ZipFile(cast(IO[bytes], _Archive(path))) as zipped:
            members = [member for member in zipped.infolist() if _is_of(member, kinds)]
    except _BROKEN as error:
        raise archive.broken(error) from None
    if len(members) != 1:
        names = ", ".join(member.filename for member in members[:10]) or "none"
        raise UserError(
            f"{where} must hold exactly one file whose name ends in {', '.join(kinds)}, but holds {len(members)} "
            f"({names}). Name an unpacked file, or an archive of one file."
        )
    (member,) = members
    if member.flag_bits & 1:
        raise UserError(f"{where}: {member.filename} is encrypted. Unpack it, and name the file itself.")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UserError(
            f"{where}: {member.filename} is compressed by a method that cannot be read. Zip it with deflate, or "
            "compress it by gzip or zstd."
        )
    return Content(path, where, PurePosixPath(member.filename).suffix.lower(), "zip", member.filename)


def _is_of(member: zipfile.ZipInfo, kinds: Collection[str]) -> bool:
    """Return whether a member is a file that can be read, and not one that macOS adds for each file."""
    path = PurePosixPath(member.filename)
    added = "__MACOSX" in path.parts or path.name.startswith("._")
    return not member.filename.endswith("/") and not added and path.suffix.lower() in kinds


class _Archive(io.FileIO):
    """A zip archive whose list of files is read only up to a limit."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _MAX_LISTED_BYTES:
            raise zipfile.BadZipFile("it lists too many files")
        return super().read(size)


class _Unpacked(io.RawIOBase):
    """The unpacked bytes of a compressed file."""

    def __init__(self, packed: Any, content: Content) -> None:
        super().__init__()
        self._packed, self._content, self._bytes = packed, content, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        try:
            chunk = self._packed.read(len(buffer))
        except _BROKEN as error:
            raise self._content.broken(error) from None
        self._bytes += len(chunk)
        check_unpacked(self._bytes, self._content.where)
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        self._packed.close()
        super().close()
