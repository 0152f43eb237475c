"""Hash the code that makes an artifact, so that changed code never uses an old artifact."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def source_files(starts: Iterable[Path], rooms: Collection[str]) -> list[Path]:
    """Return these files and the files of all modules that they import from these rooms, directly or indirectly.

    Args:
        starts: the files to begin with.
        rooms: the names of folders below `runner/`. Imports from other rooms are not followed.
    """
    files, waiting = set[Path](), list(starts)
    while waiting:
        path = waiting.pop()
        if path not in files:
            files.add(path)
            waiting += [file for file in _imported(path) if file.relative_to(_PACKAGE).parts[0] in rooms]
    return sorted(files)


def source_hash(starts: Iterable[Path], rooms: Collection[str] = ()) -> str:
    """Return the hash of the text of these files and of the modules that they import; see `source_files`."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in source_files(starts, rooms))).hexdigest()[:16]


@cache
def _imported(path: Path) -> list[Path]:
    """Return the files of this package's modules that a file imports, including imports inside functions."""
    return [*dict.fromkeys(_import_statements(ast.parse(path.read_text(encoding="utf-8"))))]


def _import_statements(tree: ast.Module) -> Iterator[Path]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == _PACKAGE.name:
            folder = _PACKAGE.joinpath(*node.module.split(".")[1:])
            for file in (folder.with_suffix(".py"), *(folder / f"{alias.name}.py" for alias in node.names)):
                if file.is_file():
                    yield file
