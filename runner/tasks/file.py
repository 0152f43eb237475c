"""Your own texts and labels, from a CSV file with a header line (UTF-8, comma-separated)."""

from __future__ import annotations

import csv
import hashlib
import re
from pathlib import Path
from typing import Any

from runner.config import TaskConfig
from runner.errors import UserError, did_you_mean
from runner.tasks import SPLITS, Example, Texts
from runner.tasks.split import shuffled, split

_SPLIT_COLUMN = "split"
_MOST_COLUMNS = 1000
_WHOLE_NUMBER = re.compile(r"-?\d{1,18}")


def load(task: TaskConfig, downloads: Path) -> Texts:
    """Return the file's texts.

    A column `split` with train, validation or test says where each row belongs; without it, 70% of the texts are for
    training, 10% for validation and 20% for testing, near-duplicates always together. With `label_column` null,
    nothing is judged, and all texts that have no other split are for testing.

    Raises:
        UserError: if the file is missing or not such a file, naming the column or line at fault.
    """
    path = _path(task)
    rows = _rows(path, task)
    labels = _label_names(rows, task)
    numbers = {label: number for number, label in enumerate(labels)}
    examples = [Example(row[task.text_column], numbers.get(row.get(task.label_column or "", ""))) for row in rows]
    if _SPLIT_COLUMN in rows[0]:
        sides = [[e for e, row in zip(examples, rows, strict=True) if row[_SPLIT_COLUMN] == side] for side in SPLITS]
        train, validation, test = map(shuffled, sides)
    elif labels:
        train, validation, test = split(examples)
    else:
        train, validation, test = [], [], shuffled(examples)
    if not test:
        raise UserError(f"task.path: {path} has no texts to test on. Add rows, or put test into column 'split'.")
    return Texts(labels, train, validation, test)


def identity(task: TaskConfig) -> dict[str, Any]:
    """Return the hash of the file."""
    with _path(task).open("rb") as file:
        return {"sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _path(task: TaskConfig) -> Path:
    if not task.path:
        raise UserError("task.path is not set. Say which CSV file: task.path=/folder/texts.csv.")
    path = Path(task.path).expanduser()
    if path.exists() and not path.is_file() and not path.is_dir():
        raise UserError(f"task.path: {path} is no file: it may never end. Name a CSV file.")
    try:
        path.open("rb").close()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", error)
        raise UserError(f"task.path: cannot read {path}: {reason}. Correct the path or its rights.") from None
    return path


def _rows(path: Path, task: TaskConfig) -> list[dict[str, str]]:
    """Return the rows by column, checked to hold a text, a label and a known split where there is such a column."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            columns = list(reader.fieldnames or [])
            _check_columns(path, columns, task)
            rows = []
            for row in reader:
                _check_row(path, reader.line_num, row, task)
                rows.append(row)
    except UnicodeDecodeError as error:
        raise UserError(f"task.path: {path} is not UTF-8 ({error.reason}). Save it as UTF-8.") from None
    except csv.Error as error:
        raise UserError(f"task.path: {path} is not a CSV file: line {reader.line_num + 1}: {error}.") from None
    if not rows:
        raise UserError(f"task.path: {path} has a header, but no rows. Add texts.")
    return rows


def _check_columns(path: Path, columns: list[str], task: TaskConfig) -> None:
    if len(columns) > _MOST_COLUMNS:
        raise UserError(
            f"task.path: {path} has {len(columns)} columns, and at most {_MOST_COLUMNS} are read. Keep those with the "
            "texts, the labels and the split."
        )
    for key, column in (("text_column", task.text_column), ("label_column", task.label_column)):
        if column is not None and column not in columns:
            raise UserError(
                f"task.{key}: {path} has no column '{column}'. {did_you_mean(column, columns)} Set task.{key}"
                f"{', or null if there are no labels' if key == 'label_column' else ''}."
            )


def _check_row(path: Path, line: int, row: dict[str, str], task: TaskConfig) -> None:
    where = f"task.path: {path}, line {line}"
    if any("\0" in value for value in row.values() if isinstance(value, str)):
        raise UserError(f"{where}: there is a NUL, so it is not UTF-8 text (UTF-16?). Save it as UTF-8.")
    if None in row or None in row.values():
        raise UserError(f"{where}: the number of fields differs from the header's. Quote texts that hold commas.")
    for column in (task.text_column, task.label_column):
        if column is not None and not row[column].strip():
            raise UserError(f"{where}: column '{column}' is empty. Fill it, or remove the row.")
    if _SPLIT_COLUMN in row and row[_SPLIT_COLUMN] not in SPLITS:
        raise UserError(f"{where}: split is '{row[_SPLIT_COLUMN]}'. Allowed: {', '.join(SPLITS)}.")


def _label_names(rows: list[dict[str, str]], task: TaskConfig) -> list[str]:
    """Return the distinct labels, sorted: as numbers if all are whole numbers, else as text."""
    if task.label_column is None:
        return []
    names = {row[task.label_column] for row in rows}
    if len(names) < 2:
        raise UserError(
            f"task.label_column: all rows of {task.path} have the label '{names.pop()}' in column "
            f"'{task.label_column}'. There must be at least two labels; with none, say task.label_column=null."
        )
    return sorted(names, key=int) if all(map(_WHOLE_NUMBER.fullmatch, names)) else sorted(names)
