"""A task of your own is a module with `load` and `identity`. This one reads lines such as `good: It works.`"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from runner.config.task import TaskConfig
from runner.errors import UserError
from runner.tasks.split import split
from runner.tasks.texts import Example, Texts

LABELS = ["bad", "good"]


def load(task: TaskConfig, downloads: Path) -> Texts:
    """Return the texts. The number of a label is its place in LABELS."""
    lines = [line.partition(": ") for line in _path(task).read_text(encoding="utf-8").splitlines() if line.strip()]
    train, validation, test = split([Example(text, LABELS.index(label)) for label, _, text in lines])
    return Texts(LABELS, train, validation, test)


def identity(task: TaskConfig) -> dict[str, Any]:
    """Return what identifies these texts: the hash of the file. The hash of this module is added to it."""
    return {"sha256": hashlib.sha256(_path(task).read_bytes()).hexdigest()}


def _path(task: TaskConfig) -> Path:
    path = Path(task.path or "")
    if not path.is_file():
        raise UserError(f"task.path: there is no file {path}. Name the file of the reviews.")
    return path
