"""Your own texts and labels, from one file: CSV or TSV with a header line, JSON Lines (an object a line) or Parquet,
by the end of its name, which may go on with .gz, .zst or .zip."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from runner.config.schema import TaskConfig
from runner.errors import UserError
from runner.tasks.columns import SPLIT, checked_rows, read_as, texts_of, wanted_columns
from runner.tasks.reading import open_rows
from runner.tasks.rows import Source
from runner.tasks.texts import Texts


def load(task: TaskConfig, downloads: Path) -> Texts:
    """Return the file's texts.

    A column `split` with train, validation or test says where each row belongs; without it, 70% of the texts are for
    training, 10% for validation and 20% for testing, near-duplicates always together. With `label_column` null,
    nothing is evaluated but the agreement with the baseline, and all texts that have no other split are for testing.

    Raises:
        UserError: if the file is missing or not such a file, naming the column or line at fault.
    """
    path = _path(task)
    where = Source("task.path", str(path))
    wanted = [*wanted_columns(task).values(), SPLIT]
    found = open_rows(path, wanted, where, task.encoding, task.delimiter and task.delimiter.value)
    names = found.class_names.get(task.label_column or "")
    texts = texts_of(checked_rows(found, task, where), task, where, names)
    return replace(texts, notes=(f"{where}: read as {', '.join(found.read_as)}.",)) if found.read_as else texts


def identity(task: TaskConfig) -> dict[str, Any]:
    """Return the hash of the file, and what is read from it and how."""
    path = _path(task)
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    declared = {"encoding": task.encoding, "delimiter": task.delimiter and task.delimiter.value}
    return {"sha256": content, "suffixes": path.suffixes[-2:]} | declared | read_as(task)


def _path(task: TaskConfig) -> Path:
    if not task.path:
        raise UserError("task.path is not set. Say which CSV, TSV, JSONL or Parquet file: task.path=/folder/texts.csv.")
    path = Path(task.path).expanduser()
    if path.exists() and not path.is_file() and not path.is_dir():
        raise UserError(f"task.path: {path} is no file: it may never end. Name a CSV, TSV, JSONL or Parquet file.")
    try:
        path.open("rb").close()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", error)
        raise UserError(f"task.path: cannot read {path}: {reason}. Correct the path or its rights.") from None
    return path
