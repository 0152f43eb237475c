"""A commented example of a user's own conf/, and of code of their own, to start from: `pinbox init`."""

from __future__ import annotations

import shutil
from pathlib import Path

from runner.errors import UserError

_ROOM = Path(__file__).parent


def write_example(folder: Path, code: bool = False) -> list[Path]:
    """Write the example, and return its files, each below `folder`.

    Args:
        folder: made if it is not there.
        code: write that of a step, an engine, a task and a metric, too.

    Raises:
        UserError: if one of its files is there already, before anything is written, or it cannot be written.
    """
    sources = dict[Path, Path]()
    for example in (_ROOM / "example", *([_ROOM / "code_example"] if code else [])):
        found = (path for path in sorted(example.rglob("*.*")) if "__pycache__" not in path.parts)
        sources |= {folder / path.relative_to(example): path for path in found}
    if there := [path for path in sources if path.exists()]:
        raise UserError(f"{there[0]} is there already, so nothing was written. Name another folder.")
    try:
        for path, source in sources.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, path)
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror}. Name another folder.") from None
    return list(sources)
