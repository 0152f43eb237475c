"""Columns of a file whose values divide its texts into slices; see `task.slice_columns`."""

from __future__ import annotations

from typing import Any

from runner.config.task import TaskConfig
from runner.errors import UserError
from runner.tasks.rows import Source
from runner.tasks.texts import Example


def check_value(value: Any, column: str, where: str) -> None:
    """Check that a value of a column can be the name of a slice.

    Raises:
        UserError: if it cannot.
    """
    if isinstance(value, list | float):
        raise UserError(
            f"{where}: column '{column}' holds {value!r:.50}, but task.slice_columns names columns of texts, whole "
            "numbers, true and false. Divide other values into ranges, or name another column."
        )


def slice_name(value: Any) -> str:
    """Return the name of a value of a column that divides the texts."""
    return "(empty)" if value is None or not str(value).strip() else str(value)


def check_slices(test: list[Example], task: TaskConfig, where: Source) -> None:
    """Check that no column has a different value for each text, because such a column does not divide the texts.

    Raises:
        UserError: if there is such a column.
    """
    for place, column in enumerate(task.slice_columns):
        values = {example.slices[place] for example in test if example.slices}
        if len(values) == len(test):
            raise UserError(
                f"task.slice_columns: column '{column}' of {where.name} has a different value in each of the "
                f"{len(test)} texts to test on, so it does not divide them. Name a column with few values."
            )
