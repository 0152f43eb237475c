"""Write the files of `pinbox init`: a commented example of a user's own conf/ and code."""

from __future__ import annotations

import shutil
from pathlib import Path

from runner.errors import UserError

_ROOM = Path(__file__).parent


def write_example(folder: Path, code: bool = False) -> list[Path]:
    """Write the example and return its files, which are all below `folder`.

    Args:
        folder: where to write it. It is made if it does not exist.
        code: write examples of a step, an engine, a task and a metric, too.

    Raises:
        UserError: if the folder cannot be written, or one of the files exists already. Then nothing is written.
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
