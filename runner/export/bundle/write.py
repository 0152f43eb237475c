"""Write a bundle: a folder, or the same folder as one `.tar.zst` file."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
import tempfile
from pathlib import Path

import pyarrow.parquet as pq
import zstandard

from runner.errors import UserError
from runner.export.bundle.paths import hide_paths, without_paths
from runner.report.write import write_report
from runner.results.external.measured import keep, kept
from runner.results.tables import Tables

HASHES = "SHA256SUMS"
_ARCHIVE = ".tar.zst"
_AS_THEY_ARE = ("samples", "memory", "load", "predictions")  # numbers, keys of jobs, and the texts themselves


def write_bundle(tables: Tables, to: Path) -> Path:
    """Write a sweep's tables, manifest and report so that another person can read and diff them.

    Args:
        tables: the tables of the sweep.
        to: a folder that does not exist yet, or a file whose name ends in .tar.zst.

    Returns:
        The path of the folder or file.

    Raises:
        UserError: if `to` exists already, or cannot be written.
    """
    if to.exists():
        raise UserError(f"{to} is there already. Name another with TO=…, or remove it.")
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=to.parent, prefix=f".{to.name}.") as work:
            folder = Path(work) / to.name.removesuffix(_ARCHIVE)
            folder.mkdir()
            _fill(folder, tables)
            if to.name.endswith(_ARCHIVE):
                packed = Path(work) / to.name
                _pack(folder, packed)
                folder = packed
            folder.rename(to)
    except OSError as error:
        raise UserError(f"The bundle {to} cannot be written: {error.strerror}. Name another place with TO=…") from None
    return to


def _fill(folder: Path, tables: Tables) -> None:
    for name in _AS_THEY_ARE:
        shutil.copyfile(tables.folder / f"{name}.parquet", folder / f"{name}.parquet")
    pq.write_table(without_paths(tables.results), folder / "results.parquet")
    pq.write_table(without_paths(tables.summary), folder / "summary.parquet")
    manifest = json.dumps(hide_paths(tables.manifest), indent=1, ensure_ascii=False) + "\n"
    (folder / "manifest.json").write_text(manifest, encoding="utf-8")
    if measured := kept(tables.folder):
        keep(folder, measured)
    write_report(folder)
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(folder.iterdir())]
    (folder / HASHES).write_text("".join(lines))


def _pack(folder: Path, to: Path) -> None:
    """Pack a folder; the same files give the same bytes."""
    with (
        to.open("wb") as raw,
        zstandard.ZstdCompressor().stream_writer(raw) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in sorted(folder.iterdir()):
            archive.add(path, f"{folder.name}/{path.name}", filter=_anonymous)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    member.mode = 0o644
    return member
