"""Check the columns of a file's rows, and make the texts of a task from them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from runner.config.task import TaskConfig
from runner.config.task_kinds import CLASSIFIED, MULTI_LABEL, SIMILARITY, TOKENS
from runner.errors import UserError, did_you_mean
from runner.tasks.judgements import judged_pairs, score_of
from runner.tasks.rows import Row, Rows, Source, check_characters
from runner.tasks.slices import check_slices, check_value, slice_name
from runner.tasks.split import shuffled, split
from runner.tasks.texts import NUMBER_PATTERN, SPLITS, UNLABELLED, Example, Texts

SPLIT = "split"
_OR_NULL = {"label_column": ", or null if there are no labels", "text_pair_column": ", or null if texts are single"}
_BITS = ({"0", "1"}, {"false", "true"})  # the entries of a list with a yes or no for each label
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+\s*")


def wanted_columns(task: TaskConfig) -> dict[str, str]:
    """Return the columns that a task needs, by the keys that name them."""
    named = {
        "text_column": task.text_column,
        "text_pair_column": task.text_pair_column,
        "label_column": task.label_column,
    }
    known = {key: column for key, column in named.items() if column is not None}
    return known | {f"slice_columns[{place}]": column for place, column in enumerate(task.slice_columns)}


def read_as(task: TaskConfig) -> dict[str, Any]:
    """Return the settings for reading rows, for the identity of a task."""
    return wanted_columns(task) | {"label_separator": task.label_separator, "labels": task.labels}


def checked_rows(rows: Rows, task: TaskConfig, where: Source, split: bool = True) -> list[Row]:
    """Check that each row holds a text, a label and a known split, and return the rows.

    Args:
        rows: the rows of a file.
        task: the task's config, which names the columns.
        where: the file's name in errors.
        split: whether a column `split` is used, if the file has one.

    Raises:
        UserError: if a check fails. The message names the column or the line at fault.
    """
    for key, column in wanted_columns(task).items():
        if column not in rows.columns:
            key = key.partition("[")[0]
            raise UserError(
                f"task.{key}: {where.name} has no column '{column}'. "
                f"{did_you_mean(column, rows.columns)} Set task.{key}"
                f"{_OR_NULL.get(key, '')}."
            )
    if split:
        _check_split_column(rows.columns, where)
    checked = []
    for row in rows.rows:
        _check(row, task, f"{where}, {row.where}")
        if split:
            _check_split(row, task, f"{where}, {row.where}", SPLIT in rows.columns)
        checked.append(row)
    if not checked:
        raise UserError(f"{where} holds no rows. Add texts.")
    _check_sets(checked, task, where)
    return checked


def texts_of(rows: list[Row], task: TaskConfig, where: Source, class_names: list[str] | None = None) -> Texts:
    """Return the texts of checked rows, split by their column `split` or by `runner.tasks.split`.

    Args:
        rows: the rows, at least one.
        task: the task's config, which names the columns.
        where: the rows' name in errors.
        class_names: the names of all labels, if the file gives their order.

    Raises:
        UserError: if there is only one label or score, or no text to test on.
    """
    if task.kind == SIMILARITY:
        return judged_pairs(rows, task, where, SPLIT)
    labels, stated = labels_of(rows, task, where, class_names)
    numbers = {label: number for number, label in enumerate(labels)}
    examples = [_example(row, task, numbers) for row in rows]
    drawn = bool(labels) and SPLIT not in rows[0].values
    train: list[Example] = []
    validation: list[Example] = []
    unlabelled: list[Example] = []
    if SPLIT in rows[0].values:
        sides: dict[str, list[Example]] = {side: [] for side in (*SPLITS, UNLABELLED)}
        for example, row in zip(examples, rows, strict=True):
            sides[row.values[SPLIT]].append(example)
        train, validation, test, unlabelled = map(shuffled, sides.values())
    elif drawn:
        train, validation, test = split(examples)
    else:
        test = shuffled(examples)
    if not test:
        raise UserError(f"{where} has no texts to test on. Add rows, or put test into column 'split'.")
    check_slices(test, task, where)
    return Texts(labels, train, validation, test, unlabelled, kind=task.kind, drawn=drawn, stated=stated)


def labels_of(
    rows: list[Row], task: TaskConfig, where: Source, class_names: list[str] | None = None
) -> tuple[list[str], bool]:
    """Return the names of all labels, and whether their order was stated; the arguments are those of `texts_of`.

    Raises:
        UserError: if a row holds no label, or if there is only one label.
    """
    labels = class_names if class_names and not task.labels else _label_names(rows, task, where)
    return labels, bool(task.labels or class_names)


def _check(row: Row, task: TaskConfig, where: str) -> None:
    for key, column in wanted_columns(task).items():
        value = row.values.get(column)
        if key.startswith("slice_columns"):
            check_value(value, column, where)
            continue
        if key == "label_column" and _is_unlabelled(row):
            continue
        may_be_empty = column == task.label_column and task.kind == MULTI_LABEL
        if value is None or (isinstance(value, str) and not value.strip() and not may_be_empty):
            raise UserError(f"{where}: column '{column}' is empty. Fill it, or remove the row.")
    for column in filter(None, (task.text_column, task.text_pair_column)):
        text = row.values[column]
        if task.kind == TOKENS:
            text = " ".join(_words(text, column, where))
        if not isinstance(text, str):
            raise UserError(
                f"{where}: column '{column}' holds {text!r:.50}, which is not a text. Convert it, or name "
                "another column."
            )
        check_characters(text, where)
    if task.kind == SIMILARITY:
        score_of(row, task, where)
    elif task.label_column is not None and not _is_unlabelled(row):
        labels = _labels(row, task, where)
        for label in labels:
            check_characters(label, where)
        if task.kind == TOKENS and len(labels) != len(row.values[task.text_column]):
            raise UserError(
                f"{where}: column '{task.text_column}' holds {len(row.values[task.text_column])} words, but column "
                f"'{task.label_column}' holds {len(labels)} tags. Give each word one tag."
            )


def _words(value: Any, column: str, where: str) -> list[str]:
    """Return the words of a text of kind tokens."""
    if isinstance(value, list) and value and all(isinstance(word, str) and word.strip() for word in value):
        return value
    raise UserError(
        f"{where}: column '{column}' holds {value!r:.50}, but with task.kind={TOKENS} must hold a list of words, none "
        "of which is empty."
    )


def _check_split_column(columns: list[str], where: Source) -> None:
    """Check that no column has another spelling of `split`, because it would be ignored."""
    misspelled = [column for column in columns if column != SPLIT and column.strip().lower() == SPLIT]
    if misspelled and SPLIT not in columns:
        raise UserError(f"{where} has a column '{misspelled[0]}', but it must be called '{SPLIT}'. Rename it.")


def _is_unlabelled(row: Row) -> bool:
    """Return whether a row is for steps that learn from a teacher. Its label is not read."""
    return row.values.get(SPLIT) == UNLABELLED


def _check_split(row: Row, task: TaskConfig, where: str, known: bool) -> None:
    """Check a row's split. `known` says whether the file has such a column."""
    if SPLIT in row.values and not known:
        raise UserError(
            f"{where}: this line has a split, but the first has none. Give a split to every line, or to none."
        )
    allowed = (*SPLITS, UNLABELLED) if task.kind in CLASSIFIED else SPLITS
    if known and row.values.get(SPLIT) not in allowed:
        raise UserError(f"{where}: split is '{row.values.get(SPLIT)!s:.50}'. Allowed: {', '.join(allowed)}.")


def _example(row: Row, task: TaskConfig, numbers: dict[str, int]) -> Example:
    label: int | tuple[int, ...] | None = None
    if task.label_column is not None and not _is_unlabelled(row):
        labels = [numbers[name] for name in _labels(row, task, row.where)]
        several = {MULTI_LABEL: tuple(sorted(labels)), TOKENS: tuple(labels)}
        label = several[task.kind] if task.kind in several else labels[0]
    if task.kind == TOKENS:
        words = tuple(row.values[task.text_column])
        return Example(" ".join(words), label, words=words)
    pair = None if task.text_pair_column is None else row.values[task.text_pair_column]
    slices = tuple(slice_name(row.values.get(column)) for column in task.slice_columns)
    return Example(row.values[task.text_column], label, pair, slices=slices or None)


def _labels(row: Row, task: TaskConfig, where: str) -> list[str]:
    """Return the names of a row's labels: one for a single-label task, and one for each word for the kind tokens."""
    value: Any = row.values[task.label_column or ""]
    if task.kind not in (MULTI_LABEL, TOKENS):
        return [_name(value, task, where)]
    if task.kind == TOKENS and not isinstance(value, list):
        raise UserError(
            f"{where}: column '{task.label_column}' holds {value!r:.50}, but with task.kind={TOKENS} must hold a list "
            "of tags, one for each word."
        )
    if isinstance(value, str):
        value = [part.strip() for part in value.split(task.label_separator)] if value.strip() else []
    if not isinstance(value, list) or "" in value:
        raise UserError(
            f"{where}: column '{task.label_column}' holds {value!r:.50}, but must hold a list of labels, or labels "
            f"with '{task.label_separator}' between them (task.label_separator)."
        )
    names = [_name(label, task, where) for label in value]
    if task.kind == MULTI_LABEL:
        _check_distinct(names, task, where)
    return names


def _check_distinct(names: list[str], task: TaskConfig, where: str) -> None:
    """Check that no label occurs twice in a row. A list such as [0, 1, 0] is not a set of labels."""
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated and _are_bits(names):
        raise UserError(_bits_message(names, task, where))
    if repeated:
        raise UserError(
            f"{where}: column '{task.label_column}' holds the label '{repeated[0]:.50}' more than once. Name each of a "
            "text's labels once."
        )


def _check_sets(rows: list[Row], task: TaskConfig, where: Source) -> None:
    """Check that the rows are not all a yes or no for each of two labels, such as [1, 0].

    For more than two labels, a yes or a no would occur twice, which `_check_distinct` refuses.
    """
    if task.kind != MULTI_LABEL or task.label_column is None or len(rows) < 2:
        return
    labelled = [row for row in rows if not _is_unlabelled(row)]
    sets = [_labels(row, task, row.where) for row in labelled]
    if sets and all(len(names) == 2 and _are_bits(names) for names in sets):
        raise UserError(_bits_message(sets[0], task, f"{where}, {labelled[0].where}"))


def _are_bits(names: list[str]) -> bool:
    return any(bits.issuperset(names) for bits in _BITS)


def _bits_message(names: list[str], task: TaskConfig, where: str) -> str:
    return (
        f"{where}: column '{task.label_column}' holds {', '.join(names):.50}, which looks like one 0 or 1 for each "
        'label. Write the names of the labels that each text has instead, such as ["sad", "angry"], or [] for none.'
    )


def _name(value: Any, task: TaskConfig, where: str) -> str:
    """Return a label's name."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # whole numbers become floats in a column with missing values
    if isinstance(value, str) and _DECIMAL_COMMA.fullmatch(value):
        raise UserError(
            f"{where}: column '{task.label_column}' holds '{value:.50}', which is either a number with a decimal comma "
            "or several numbers. Write numbers with a decimal point. If texts have several labels, set "
            f"task.kind={MULTI_LABEL} and task.label_separator=','."
        )
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int):
        return str(value)
    raise UserError(
        f"{where}: column '{task.label_column}' holds {value!r:.50}, but a label must be a text, a whole number, true "
        f"or false. If texts have several labels, set task.kind={MULTI_LABEL}."
    )


def _label_names(rows: Iterable[Row], task: TaskConfig, where: Source) -> list[str]:
    """Return the labels in the order of task.labels, or else the sorted distinct labels.

    They are sorted as numbers if all are numbers, and as text otherwise.
    """
    if task.label_column is None:
        return []
    names = {name for row in rows if not _is_unlabelled(row) for name in _labels(row, task, row.where)}
    if not names:
        raise UserError(f"task.label_column: no row of {where.name} has a label in column '{task.label_column}'.")
    if task.labels:
        if unknown := sorted(names - set(task.labels)):
            raise UserError(
                f"task.labels is {', '.join(task.labels)}, but {where.name} also has '{unknown[0]}' in column "
                f"'{task.label_column}'. Name all labels as they are spelled in the file."
            )
        return list(task.labels)
    if len(names) < 2 and task.kind != MULTI_LABEL:
        raise UserError(
            f"task.label_column: all rows of {where.name} have the label '{names.pop()}' in column "
            f"'{task.label_column}'. There must be at least two labels. If there are no labels, set "
            "task.label_column=null."
        )
    if all(map(NUMBER_PATTERN.fullmatch, names)):
        return sorted(names, key=lambda name: (float(name), name))
    return sorted(names)
