"""Find out which columns of a file hold the texts and the labels of a model. If that is not clear, raise an error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from runner.config.task import TaskConfig
from runner.config.task_kinds import CLASSIFIED, EMBEDDING, MULTI_LABEL, TOKENS
from runner.errors import UserError, did_you_mean
from runner.sweep.tryout.model import OwnModel
from runner.sweep.tryout.table import Table
from runner.tasks.columns import SPLIT, labels_of
from runner.techniques.importing.labels import NAME, SPELLING, LabelMatch, listed, match_labels

NO_COLUMN = "none"  # the text that a user types for no column
OWN_TEXTS = "alice"  # the task whose texts come with Pinbox

_TEXTS = (  # names of columns, the likeliest first
    *("text", "texts", "sentence", "content", "review", "tweet", "comment", "message", "body", "utterance"),
    *("document", "abstract", "description", "post", "question", "query", "title", "headline", "input"),
)
_WORDS = ("tokens", "words")
_PAIRS = (
    *(("sentence1", "sentence2"), ("sentence_1", "sentence_2"), ("sentence_a", "sentence_b")),
    *(("premise", "hypothesis"), ("question1", "question2"), ("question", "sentence"), ("question", "answer")),
    *(("question", "context"), ("query", "passage"), ("query", "document"), ("claim", "evidence")),
    *(("text", "text_pair"), ("text1", "text2"), ("text_a", "text_b")),
)
_LABELS = (
    *("label", "labels", "class", "category", "target", "sentiment", "intent", "emotion", "topic", "tag", "gold"),
    *("tags", "ner_tags", "pos_tags", "labels_names", "label_name", "label_text"),
)
_NEEDS_LABELS = "A model that gives texts any number of labels can be measured only on texts with labels."
_CLEARLY_LONGER = 2.0  # a column holds the texts if they are this many times as long on average as in any other


@dataclass(frozen=True)
class Stated:
    """What the user says about a file. A value is None if it must be found out.

    Attributes:
        text, pair, label: names of columns. A name is "none" if there is no second text or no label.
        labels: all labels, in the order of the model's outputs.
        kind: the kind of the task.
    """

    text: str | None = None
    pair: str | None = None
    label: str | None = None
    labels: list[str] | None = None
    kind: str | None = None


@dataclass(frozen=True)
class Guess:
    """What was found out about the columns of a file.

    Attributes:
        task: the task's config without its source.
        match: which label is which output of the model, or None without labels.
        why_no_labels: the reason why there are no labels, as a part of a sentence. It is empty if there are labels.
    """

    task: TaskConfig
    match: LabelMatch | None
    why_no_labels: str = ""


def guess_task(table: Table, model: OwnModel, stated: Stated, name: str) -> Guess:
    """Return the task of a file and a model.

    Raises:
        UserError: if the file lacks a stated column, or if it is not clear what a column holds. The message names the
            candidates.
    """
    kinds = [stated.kind] if stated.kind else model.kinds
    model.check(kinds[0])
    text, pair = _texts(table, stated, kinds[0])
    base = TaskConfig(
        name=name,
        source="file",
        kind=kinds[0],
        text_column=text,
        text_pair_column=pair,
        label_column=None if kinds[0] == EMBEDDING else "?",
        labels=stated.labels,
    )
    if kinds == [EMBEDDING]:
        return Guess(base, None, "vectors are compared with the baseline's")
    if stated.label == NO_COLUMN:
        return Guess(_unlabelled(base), None, "none was asked for")
    tasks = [replace(base, kind=kind) for kind in kinds]
    rest = [column for column in table.columns if column not in (text, pair, SPLIT)]
    if stated.label:
        _check_column(table, stated.label, "--label-column")
        return _fit(table, model, tasks, stated.label)
    return _labelled(table, model, tasks, rest) or Guess(_unlabelled(base), None, _no_labels(model, rest))


def task_without_texts(model: OwnModel, kind: str | None, name: str) -> TaskConfig:
    """Return the task with Pinbox's own texts, which have no labels.

    Raises:
        UserError: if the model is not for this kind of task, or needs labels.
    """
    kind = kind or model.kinds[0]
    model.check(kind)
    if kind == MULTI_LABEL:
        raise UserError(f"{_NEEDS_LABELS} Name a file of them: pinbox try MODEL TEXTS.")
    return TaskConfig(name=name, source=OWN_TEXTS, kind=kind, label_column=None)


def _labelled(table: Table, model: OwnModel, tasks: Sequence[TaskConfig], columns: Sequence[str]) -> Guess | None:
    """Return the task with the only column that can hold the model's labels, or None if there is none."""
    fits: dict[str, Guess] = {}
    problems: dict[str, UserError] = {}
    for column in columns:
        try:
            fits[column] = _fit(table, model, tasks, column)
        except UserError as error:
            problems[column] = error
    for column in _by_name(columns, _LABELS):
        if column in fits:
            return fits[column]
        raise problems[column]
    by_name = {column: one for column, one in fits.items() if one.match and {NAME, SPELLING} & set(one.match.rules)}
    if len(by_name) == 1:
        return next(iter(by_name.values()))
    if fits:
        raise UserError(
            f"{table.where}: it is not clear whether {_or(fits)} holds the labels. Use --label-column "
            f"{next(iter(fits))}, or --label-column {NO_COLUMN} if there are none."
        )
    for column in columns:
        if _are_places(table, column, model):
            raise problems[column]
    return None


def _fit(table: Table, model: OwnModel, tasks: Sequence[TaskConfig], column: str) -> Guess:
    """Return the first of the tasks whose labels, in this column, are outputs of the model.

    Raises:
        UserError: if there is none. The message is the one for the first task.
    """
    first: UserError | None = None
    for task in (replace(task, label_column=column) for task in tasks):
        try:
            labels, is_stated = labels_of(table.rows, task, table.where, table.class_names.get(column))
            return Guess(task, match_labels(labels, model.outputs, is_stated, "MODEL"))
        except UserError as error:
            first = first or error
    assert first is not None
    places = ",".join(str(place) for place in range(len(model.outputs)))
    hint = f" If it holds the numbers of the model's outputs, use --label-column {column} --labels {places}."
    raise UserError(
        f"{first}{hint if _are_places(table, column, model) else ''} If column '{column}' holds no labels of the "
        f"model, use --label-column {NO_COLUMN}."
    )


def _are_places(table: Table, column: str, model: OwnModel) -> bool:
    """Return whether a column holds numbers that the model's outputs have, at least two of them."""
    values = {str(value) for value in table.values(column)}
    return len(values) > 1 and values <= {str(place) for place in range(len(model.outputs))}


def _unlabelled(task: TaskConfig) -> TaskConfig:
    if task.kind == MULTI_LABEL:
        raise UserError(f"{_NEEDS_LABELS} Name the column that holds them: --label-column NAME.")
    return replace(task, label_column=None)


def _no_labels(model: OwnModel, columns: Sequence[str]) -> str:
    looked = f" of {', '.join(columns)}" if columns else " further"
    return f"no column{looked} holds the model's ({listed(model.outputs)})"


def _texts(table: Table, stated: Stated, kind: str) -> tuple[str, str | None]:
    """Return the columns of both texts. The second is None if texts are single."""
    for column, option in ((stated.text, "--text-column"), (stated.pair, "--pair-column")):
        if column not in (None, NO_COLUMN):
            _check_column(table, str(column), option)
    stated_pair = stated.pair if stated.pair != NO_COLUMN else None
    named = _named_pair(table) if kind != TOKENS else None
    if named and stated.text in (None, named[0]) and stated_pair in (None, named[1]):
        return named[0], named[1] if kind in CLASSIFIED and stated.pair != NO_COLUMN else None
    return stated.text or _text_column(table, stated, kind), stated_pair


def _named_pair(table: Table) -> tuple[str, str] | None:
    by_lower = {column.strip().lower(): column for column in table.columns if table.holds_texts(column)}
    pairs = ((by_lower[first], by_lower[second]) for first, second in _PAIRS if {first, second} <= by_lower.keys())
    return next(pairs, None)


def _text_column(table: Table, stated: Stated, kind: str) -> str:
    """Return the column of the texts, by its name or because its texts are clearly the longest."""
    holds, names = (table.holds_words, _WORDS) if kind == TOKENS else (table.holds_texts, _TEXTS)
    taken = (SPLIT, stated.label, stated.pair)
    candidates = [column for column in table.columns if column not in taken and holds(column)]
    if not candidates:
        what = "lists of words, as a model that tags words takes them" if kind == TOKENS else "texts"
        raise UserError(f"{table.where}: no column holds {what}. It has {', '.join(table.columns)}.")
    if known := _by_name(candidates, names):
        return known[0]
    lengths = {column: table.mean_length(column) for column in candidates}
    long = [column for column in candidates if _CLEARLY_LONGER * lengths[column] > max(lengths.values())]
    if len(long) > 1:
        longest = max(long, key=lambda column: lengths[column])
        raise UserError(
            f"{table.where}: it is not clear whether {_or(long)} holds the texts. Say which: --text-column {longest}."
        )
    return long[0]


def _by_name(columns: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return the columns that have one of the names, in the order of the names."""
    by_lower = {column.strip().lower(): column for column in columns}
    return [by_lower[name] for name in names if name in by_lower]


def _check_column(table: Table, column: str, option: str) -> None:
    if column not in table.columns:
        raise UserError(f"{option}: {table.where.name} has no column '{column}'. {did_you_mean(column, table.columns)}")


def _or(columns: Sequence[str] | dict[str, Guess]) -> str:
    *some, last = [f"'{column}'" for column in columns]
    return f"{', '.join(some)} or {last}" if some else last
