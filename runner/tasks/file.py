"""Read your own texts and labels from a file: CSV or TSV with a header line, JSON Lines or Parquet.

The end of the file's name says which kind it is. It may be followed by .gz, .zst or .zip.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from runner.config.task import TaskConfig
from runner.errors import UserError
from runner.tasks.columns import SPLIT, checked_rows, read_as, texts_of, wanted_columns
from runner.tasks.reading import open_rows
from runner.tasks.rows import Source
from runner.tasks.texts import Texts


def load(task: TaskConfig, downloads: Path) -> Texts:
    """Return the file's texts.

    A column `split` with train, validation or test says to which split each row belongs. Rows whose split is unlabelled
    are for steps that learn from a teacher, and their labels are not read. Without the column, 70% of the texts
    are for training, 10% for validation and 20% for testing, and near-duplicates stay together. If `label_column` is
    null, only the agreement with the baseline is evaluated, and all texts without another split are for testing.

    Raises:
        UserError: if the file is missing or cannot be read. The message names the column or the line at fault.
    """
    path = readable_path(task.path)
    where = Source("task.path", str(path))
    wanted = [*wanted_columns(task).values(), SPLIT]
    rows = open_rows(path, wanted, where, task.encoding, task.delimiter and task.delimiter.value)
    names = rows.class_names.get(task.label_column or "")
    texts = texts_of(checked_rows(rows, task, where), task, where, names)
    return replace(texts, notes=(f"{where}: read as {', '.join(rows.read_as)}.",)) if rows.read_as else texts


def identity(task: TaskConfig) -> dict[str, Any]:
    """Return the hash of the file and the settings for reading it."""
    path = readable_path(task.path)
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    declared = {"encoding": task.encoding, "delimiter": task.delimiter and task.delimiter.value}
    return {"sha256": content, "suffixes": path.suffixes[-2:]} | declared | read_as(task)


def readable_path(text: str | None) -> Path:
    """Return the path of a file of texts.

    Args:
        text: task.path.

    Raises:
        UserError: if it is not set, or if the file cannot be read.
    """
    if not text:
        raise UserError("task.path is not set. Name a CSV, TSV, JSONL or Parquet file: task.path=/folder/texts.csv.")
    path = Path(text).expanduser()
    if path.exists() and not path.is_file() and not path.is_dir():
        raise UserError(f"task.path: {path} is a pipe or a device. Name a CSV, TSV, JSONL or Parquet file.")
    try:
        path.open("rb").close()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", error)
        raise UserError(f"task.path: cannot read {path}: {reason}. Correct the path or its permissions.") from None
    return path
