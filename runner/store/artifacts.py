"""Store artifacts by the hash of their content.

    recipes/<key>.json      the lineage of a step's result; the key is a hash of its input, its config and its code
    contents/<sha256>/      the files, which are stored once even if several recipes give them
    compressed/<sha256>     the size of the compressed files in bytes, which is computed when it is first needed

A recipe names its input by content, so two recipes that give the same bytes share all later steps. Entries are written
under a temporary name and then renamed, so they are complete or missing.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runner.store.locks import close, lock_folder, remove_unlocked

_LEVEL = 10  # the compression level of Zstandard
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Artifact:
    """A model, or its inputs, on disk in one format, with the record of how it was made."""

    content: str  # the sha256 over the names and bytes of all files
    format: str
    path: Path
    disk_bytes: int
    lineage: list[dict[str, Any]]  # one entry per step, in order


class Store:
    """The artifacts under a folder.

    Args:
        root: the store's folder, which is made when the first artifact is stored.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    def find(self, recipe: dict[str, Any]) -> Artifact | None:
        """Return the artifact of this recipe, or None if the store lacks it or a part of it."""
        try:
            record = json.loads(self._recipe_path(recipe).read_text(encoding="utf-8"))
            content, format, size, lineage = (record[key] for key in ("content", "format", "disk_bytes", "lineage"))
        except (FileNotFoundError, ValueError, TypeError, KeyError, RecursionError):
            return None
        path = self.root / "contents" / str(content)
        if not _SHA256.fullmatch(str(content)) or not verify(path):
            return None
        return Artifact(content, format, path, size, lineage)

    @contextmanager
    def staging_dir(self) -> Iterator[Path]:
        """Yield an empty folder on the store's file system. It is removed afterwards unless `put` moved it.

        The folder is locked (runner/store/locks.py), so that `remove_stale_staging_dirs` does not remove it.
        """
        (self.root / "work").mkdir(parents=True, exist_ok=True)
        path = Path(tempfile.mkdtemp(dir=self.root / "work"))
        lock = lock_folder(path)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)
            close(lock)

    def remove_stale_staging_dirs(self) -> None:
        """Remove the staging folders of dead processes."""
        remove_unlocked((self.root / "work").glob("*"))

    def put(self, recipe: dict[str, Any], folder: Path, format: str, lineage: list[dict[str, Any]]) -> Artifact:
        """Move `folder` into the store as the result of `recipe`, and return the artifact.

        Args:
            recipe: the recipe by which `find` finds the artifact.
            folder: the folder with the artifact's files, which must be on the store's file system (see `staging_dir`).
            format: the artifact's format, such as checkpoint, onnx or torchscript.
            lineage: the record of every step so far, including the last one.
        """
        content, disk_bytes = folder_sha256(folder), folder_bytes(folder)
        target = self.root / "contents" / content
        target.parent.mkdir(parents=True, exist_ok=True)
        _readable_by_all(folder)
        if target.is_dir() and not verify(target):
            shutil.rmtree(target)  # the stored files are damaged, and `folder` replaces them
        if not target.is_dir():
            folder.rename(target)
        artifact = Artifact(content, format, target, disk_bytes, lineage)
        record = {"recipe": recipe} | {k: v for k, v in asdict(artifact).items() if k != "path"}
        path = self._recipe_path(recipe)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, json.dumps(record, indent=1))
        return artifact

    def compressed_bytes(self, artifact: Artifact) -> int:
        """Return the size of an artifact's files when each is compressed, as if they were sent to a machine.

        They are compressed with Zstandard (RFC 8878) at level 10, which takes about a second for 90 MB.
        """
        path = self.root / "compressed" / artifact.content
        if not path.is_file() or not path.read_text().isdigit():
            path.parent.mkdir(exist_ok=True)
            atomic_write(path, str(sum(_compressed(file) for file in artifact.path.rglob("*") if file.is_file())))
        return int(path.read_text())

    def _recipe_path(self, recipe: dict[str, Any]) -> Path:
        return self.root / "recipes" / f"{digest(recipe)}.json"


def digest(value: Any) -> str:
    """Return the sha256 of a JSON value. It does not depend on the order of keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def folder_sha256(folder: Path) -> str:
    """Return the sha256 over the relative name and the bytes of every file below `folder`."""
    return files_sha256({path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()})


def files_sha256(files: Mapping[Path, Path]) -> str:
    """Return the hash that `folder_sha256` would give if these files had these relative names in a folder."""
    total = hashlib.sha256()
    for name in sorted(files):
        with files[name].open("rb") as file:
            inner = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{name.as_posix()}\0{inner}\n".encode())
    return total.hexdigest()


def folder_bytes(folder: Path) -> int:
    """Return the total size in bytes of all files below `folder`."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


_verified: dict[Path, list[tuple[str, int, int]]] = {}  # verified contents: the name, size and time of each file


def verify(content: Path) -> bool:
    """Return whether a folder of `contents/` has the hash that is its name. It is read again only if it has changed."""
    if not _SHA256.fullmatch(content.name):
        return False  # the folder does not belong to a store, and may be very large
    files = sorted((path, path.stat()) for path in content.rglob("*") if path.is_file())
    state = [(str(path), stat.st_size, stat.st_mtime_ns) for path, stat in files]
    if _verified.get(content) != state:
        if not content.is_dir() or folder_sha256(content) != content.name:
            return False
        _verified[content] = state
    return True


def _compressed(path: Path) -> int:
    import zstandard  # not at the top, so that a box does not need it

    with path.open("rb") as file:
        return sum(map(len, zstandard.ZstdCompressor(level=_LEVEL).read_to_iter(file)))


def atomic_write(path: Path, text: str) -> None:
    """Write a text file so that readers see either the old or the complete new text."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).rename(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _readable_by_all(folder: Path) -> None:
    """Let all users read a folder, because a box runs as another user."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
