"""Compressed files are read by their content and within limits. Broken or too large ones are refused."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from runner.config.task import TaskConfig
from runner.errors import UserError
from runner.tasks import content, reading
from runner.tasks.source import load_texts
from runner.tasks.texts import Texts

CSV = "text,label,split\n" + "".join(f"text {n},{'xy'[n % 2]},test\n" for n in range(50))


def _load(folder: Path, name: str, packed: bytes) -> Texts:
    (folder / name).write_bytes(packed)
    return load_texts(TaskConfig(name="file", source="file", path=str(folder / name)), folder)


def _zipped(files: dict[str, str | bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", method) as zipped:
        for name, text in files.items():
            zipped.writestr(name, text)
    return whole.getvalue()


def _zstd(text: str) -> bytes:
    return zstandard.ZstdCompressor().compress(text.encode())


def _parquet() -> bytes:
    whole = io.BytesIO()
    rows = [{"text": f"text {n}", "label": "xy"[n % 2], "split": "test"} for n in range(50)]
    pq.write_table(pa.Table.from_pylist(rows), whole)
    return whole.getvalue()


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("texts.csv.gz", gzip.compress(CSV.encode())),
        ("TEXTS.CSV.GZ", gzip.compress(CSV.encode())),
        ("members.csv.gz", b"".join(gzip.compress(line.encode()) for line in CSV.splitlines(keepends=True))),
        ("texts.csv.zst", _zstd(CSV)),
        ("frames.csv.zst", b"".join(map(_zstd, CSV.splitlines(keepends=True)))),
        ("texts.zip", _zipped({"data/texts.csv": CSV, "__MACOSX/data/._texts.csv": "\0", "readme.txt": "Read me."})),
        ("nameless.zip", _zipped({"texts.csv": CSV, "?.txt": ""}).replace(b"?.txt", b"\0.txt")),
        ("texts.csv.zip", _zipped({"texts.csv": CSV}, zipfile.ZIP_STORED)),
        ("texts.tsv.gz", gzip.compress(CSV.replace(",", "\t").encode("utf-16"))),
        ("texts.parquet.gz", gzip.compress(_parquet())),
        ("texts.zip", _zipped({"texts.parquet": _parquet()})),
    ],
)
def test_a_compressed_file_gives_the_same_texts(name: str, packed: bytes, tmp_path: Path) -> None:
    texts = _load(tmp_path, name, packed)
    assert texts == _load(tmp_path, "plain.csv", CSV.encode())
    compression = {".gz": "gzip", ".zst": "zstd", ".zip": "zip"}[Path(name).suffix.lower()]
    assert texts.notes[0].endswith(f"{compression}.")


@pytest.mark.parametrize(
    ("name", "packed", "message"),
    [
        ("texts.csv.gz", gzip.compress(CSV.encode())[:-20], r"is not a complete gzip file: .*Compress the texts again"),
        ("texts.csv.zst", _zstd(CSV)[:-20], r"is not a complete zstd file"),
        ("texts.csv.gz", b"text,label\n", r"is not a complete gzip file"),
        ("texts.zip", b"text,label\n", r"is not a complete zip file"),
        ("texts.zip", _zipped({"a.csv": CSV, "b.TSV": CSV}), r"exactly one file .*, but holds 2 \(a\.csv, b\.TSV\)"),
        ("texts.zip", _zipped({"a.xlsx": CSV}), r"exactly one file .*, but holds 0 \(none\)"),
        (
            "texts.zip",
            _zipped({"a.csv": CSV}, zipfile.ZIP_LZMA),
            r"a\.csv is compressed by a method that cannot be read",
        ),
        ("texts.gz", gzip.compress(CSV.encode()), r"the name 'texts' ends in ''\. Allowed: \.csv, .* followed by \.gz"),
        ("texts.csv.bz2", b"BZh9", r"'texts\.csv\.bz2' ends in '\.bz2'\. Allowed: "),
        ("texts.csv.gz.gz", gzip.compress(CSV.encode()), r"ends in '\.gz'\. Allowed: "),
        (
            "texts.csv",
            gzip.compress(CSV.encode()),
            r"does not hold what its name says\. It is compressed by gzip\. Add \.gz",
        ),
        ("texts.csv", _zstd(CSV), r"It is compressed by zstd\. Add \.zst to its name"),
        ("texts.csv", _zipped({"a.csv": CSV}), r"a zip archive or an Excel workbook"),
    ],
)
def test_what_cannot_be_unpacked_is_refused(name: str, packed: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        _load(tmp_path, name, packed)


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    packed = bytearray(_zipped({"a.csv": CSV}))
    packed[6] |= 1  # the header of the file itself
    packed[packed.index(b"PK\1\2") + 8] |= 1  # the header in the archive's list
    with pytest.raises(UserError, match=r"a\.csv is encrypted\. Unpack it"):
        _load(tmp_path, "texts.zip", bytes(packed))


@pytest.mark.parametrize("end", [".gz", ".zst", ".zip"])
def test_a_bomb_is_refused(end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = "text,label\n" + "a" * 10_000_000 + ",x\n"
    packed = {".gz": gzip.compress(bomb.encode()), ".zst": _zstd(bomb), ".zip": _zipped({"a.csv": bomb})}[end]
    monkeypatch.setattr(content, "MAX_BYTES", 1_000_000)
    assert len(packed) < 100_000
    with pytest.raises(UserError, match="unpacks to more than"):
        _load(tmp_path, f"texts.csv{end}", packed)


def test_many_small_rows_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They take much more space in memory than in the file."""
    monkeypatch.setattr(reading, "MAX_ROWS", 49)
    with pytest.raises(UserError, match="has more than 49 rows"):
        _load(tmp_path, "texts.csv.gz", gzip.compress(CSV.encode()))


def test_an_archive_with_a_long_list_of_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "_MAX_LISTED_BYTES", 1000)
    with pytest.raises(UserError, match="it lists too many files"):
        _load(tmp_path, "texts.zip", _zipped({f"{number}.txt": "" for number in range(100)}))
