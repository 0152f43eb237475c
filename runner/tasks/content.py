"""The bytes of a file of texts, unpacked where its name says that they are compressed, and never too many of them."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from runner.errors import UserError
from runner.tasks.rows import Source

MAX_BYTES = 2**30  # of a file, and of what a compressed one unpacks to
_MAX_LISTED_BYTES = 2**24  # of a zip archive's list of files
_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd", ".zip": "zip"}
_MARKS = {  # the first bytes of files whose names often hide what they are
    b"\x1f\x8b": "It is compressed by gzip. Add .gz to its name",
    b"\x28\xb5\x2f\xfd": "It is compressed by zstd. Add .zst to its name",
    b"PK\x03\x04": "It is a zip archive or an Excel workbook. Let the name of an archive end in .zip, and save a "
    "workbook as CSV",
}
_BROKEN = (OSError, EOFError, ValueError, RuntimeError, struct.error, zlib.error, zipfile.BadZipFile)


@dataclass(frozen=True)
class Content:
    """What a file holds.

    Attributes:
        path: of the file.
        where: names the file in errors.
        suffix: which kind of file it holds, such as ".csv".
        compression: gzip, zstd or zip; None if it is not compressed.
        member: the path of the file in a zip archive.
    """

    path: Path
    where: Source
    suffix: str
    compression: str | None = None
    member: str = ""

    def open(self) -> io.BufferedReader:
        """Open the unpacked bytes; reading raises a `UserError` if they cannot be unpacked or are too many."""
        if self.compression is None:
            return self.path.open("rb")
        try:
            return io.BufferedReader(_Unpacked(self._packed(), self))
        except _BROKEN as error:
            raise self.broken(error) from None

    def broken(self, error: Exception) -> UserError:
        """Return the refusal of a file that cannot be unpacked."""
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        return UserError(f"{self.where} is no whole {self.compression} file: {reason}. Compress the texts anew.")

    def _packed(self) -> Any:
        if self.compression == "zip":
            return zipfile.ZipFile(cast(IO[bytes], _Archive(self.path))).open(self.member)
        import pyarrow as pa  # it tells a file that was cut short, and holds little in memory

        return pa.input_stream(str(self.path), compression=self.compression)


def content_of(path: Path, where: Source, kinds: Collection[str]) -> Content:
    """Return what a file holds, by the end of its name.

    Args:
        path: of a readable file.
        where: names the file in errors.
        kinds: the ends of names that can be read, such as ".csv".

    Raises:
        UserError: if it is of no such kind, too large, or an archive of none or several such files.
    """
    suffix = path.suffix.lower()
    compression = _COMPRESSIONS.get(suffix)
    if compression is None and suffix not in kinds:
        raise _unknown(path, where, kinds)
    if path.stat().st_size > MAX_BYTES:
        raise UserError(f"{where} has more than {MAX_BYTES >> 30} GiB, and no more is read. Take a sample of it.")
    if compression is None:
        _check_mark(path, where)
        return Content(path, where, suffix)
    if compression == "zip":  # its own list of files says what is in it
        return _archived(Content(path, where, suffix, compression), kinds)
    inner = Path(path.stem).suffix.lower()
    if inner not in kinds:
        raise _unknown(Path(path.stem), where, kinds)
    return Content(path, where, inner, compression)


def check_unpacked(unpacked_bytes: int, where: Source) -> None:
    """Raise a `UserError` if more was unpacked than may be."""
    if unpacked_bytes > MAX_BYTES:
        raise UserError(
            f"{where} unpacks to more than {MAX_BYTES >> 30} GiB, and no more is read. Take a sample of it."
        )


def _unknown(path: Path, where: Source, kinds: Collection[str]) -> UserError:
    """Return the refusal of a name that does not say what can be read."""
    return UserError(
        f"{where}: the name '{path.name}' ends in '{path.suffix}'. Allowed: {', '.join(kinds)}, each alone or followed "
        f"by {', '.join(_COMPRESSIONS)}."
    )


def _check_mark(path: Path, where: Source) -> None:
    with path.open("rb") as file:
        start = file.read(4)
    for mark, advice in _MARKS.items():
        if start.startswith(mark):
            raise UserError(f"{where} is not what its name says. {advice}.")


def _archived(archive: Content, kinds: Collection[str]) -> Content:
    """Return the one file of an archive that can be read."""
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
            f"({names}). Name one that is unpacked, or an archive of one."
        )
    (member,) = members
    if member.flag_bits & 1:
        raise UserError(f"{where}: {member.filename} is encrypted. Unpack it, and name the file itself.")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UserError(
            f"{where}: {member.filename} is compressed in a way that is not read. Zip it with deflate, or compress it "
            "by gzip or zstd."
        )
    return Content(path, where, PurePosixPath(member.filename).suffix.lower(), "zip", member.filename)


def _is_of(member: zipfile.ZipInfo, kinds: Collection[str]) -> bool:
    """Whether a member is a file that can be read, and not one that macOS adds to each of an archive."""
    path = PurePosixPath(member.filename)
    added = "__MACOSX" in path.parts or path.name.startswith("._")
    return not member.filename.endswith("/") and not added and path.suffix.lower() in kinds


class _Archive(io.FileIO):
    """A zip archive, of whose list of files only a bounded one is read."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _MAX_LISTED_BYTES:
            raise zipfile.BadZipFile("it lists too many files")
        return super().read(size)


class _Unpacked(io.RawIOBase):
    """The bytes that a compressed file unpacks to."""

    def __init__(self, packed: Any, content: Content) -> None:
        super().__init__()
        self._packed, self._content, self._bytes = packed, content, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        try:
            some = self._packed.read(len(buffer))
        except _BROKEN as error:
            raise self._content.broken(error) from None
        self._bytes += len(some)
        check_unpacked(self._bytes, self._content.where)
        buffer[: len(some)] = some
        return len(some)

    def close(self) -> None:
        self._packed.close()
        super().close()
