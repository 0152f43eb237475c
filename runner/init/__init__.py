"""A commented example of a user's own conf/, to start from: `pinbox init`."""

from __future__ import annotations

import shutil
from pathlib import Path

from runner.errors import UserError

_TEMPLATES = Path(__file__).parent / "templates"


def write_example(folder: Path) -> list[Path]:
    """Write the example, and return its files, each below `folder`.

    Raises:
        UserError: if one of them is there already, before anything is written, or it cannot be written.
    """
    names = sorted(path.relative_to(_TEMPLATES) for path in _TEMPLATES.rglob("*.*") if "__pycache__" not in path.parts)
    there = [folder / name for name in names if (folder / name).exists()]
    if there:
        raise UserError(f"{there[0]} is there already, so nothing was written. Name another folder.")
    try:
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(_TEMPLATES / name, folder / name)
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror}. Name another folder.") from None
    return [folder / name for name in names]
