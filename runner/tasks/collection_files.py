"""Read the files of a test collection: tables of documents and queries, and a table or TREC's qrels of judgements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.config.task import TaskConfig
from runner.errors import UserError, did_you_mean
from runner.tasks.content import content_of
from runner.tasks.lines import text_file
from runner.tasks.reading import TABLES, open_rows
from runner.tasks.rows import Row, Source, check_characters, finite_number

_IN_FOLDER = {  # the names in BEIR's format
    "documents": ("corpus.jsonl",),
    "queries": ("queries.jsonl",),
    "judgements": ("qrels/test.tsv", "qrels/test.jsonl"),
}
_TREC = (".qrels", ".qrel", ".run", ".trec", ".txt")
_QRELS = ("query", "iteration", "document", "grade")  # the fields of a line of TREC's qrels
_RUN = ("query", "Q0", "document", "rank", "score", "tag")  # the fields of a line of TREC's run

#: Where a judgement is in its file, the ids of its query and its document, and its grade.
Judged = tuple[str, str, str, float]


@dataclass(frozen=True)
class Entry:
    """A document or a query: its id, its text, and where it is in its file."""

    id: str
    text: str
    where: str


def file_of(task: TaskConfig, name: str) -> Source:
    """Return the readable file of a part of the collection, and the key that names it.

    Args:
        task: the task's config.
        name: documents, queries, judgements or candidates.

    Raises:
        UserError: if no key names it, or if it cannot be read.
    """
    key, stated = f"task.collection.{name}", getattr(task.collection, name)
    if stated is None and task.path is None:
        raise UserError(
            f"{key} is not set. Name the file, or a folder in BEIR's format, with "
            f"{', '.join(names[0] for names in _IN_FOLDER.values())}: task.path=/folder."
        )
    if stated is None:
        paths = [Path(str(task.path)).expanduser() / one for one in _IN_FOLDER[name]]
        key, stated = "task.path", str(next((path for path in paths if path.exists()), paths[0]))
    path = Path(stated).expanduser()
    try:
        if path.exists() and not path.is_file():
            raise UserError(f"{key}: {path} is not a file. Name the file of the {name}.")
        path.open("rb").close()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", error)
        raise UserError(f"{key}: cannot read {path}: {reason}. Correct the path, or name it: {key}=….") from None
    return Source(key, str(path))


def read_entries(task: TaskConfig, name: str, where: Source, may_be_empty: bool = False) -> Iterator[Entry]:
    """Yield the documents or the queries of a table. A title comes before the text, with a space between them.

    Args:
        task: the task's config, which names the columns.
        name: documents or queries.
        where: the file.
        may_be_empty: whether a text may be empty.

    Raises:
        UserError: if the table lacks a column, or if a row lacks an id or a text.
    """
    title = task.collection.title_column if name == "documents" else None
    needed = {"task.collection.id_column": task.collection.id_column, "task.text_column": task.text_column}
    for row in _rows(task, where, needed, [title] if title else []):
        place = f"{where}, {row.where}"
        key = _id(row, task.collection.id_column, place)
        parts = [_text(row, column, place) for column in (title, task.text_column) if column]
        text = " ".join(filter(None, parts))
        if not text and not may_be_empty:
            raise UserError(f"{place}: column '{task.text_column}' is empty. Fill it, or remove the row.")
        yield Entry(key, text, row.where)


def read_judged(task: TaskConfig, where: Source) -> Iterator[Judged]:
    """Yield the judgements of a table, or of a file of TREC's qrels.

    Raises:
        UserError: if the file lacks a column or a field, or if a grade is not a number.
    """
    if _is_trec(where):
        for place, (query, _, document, grade) in _trec(task, where, _QRELS):
            yield place, query, document, _grade(grade, f"{where}, {place}")
        return
    for row, query, document in _named_in(task, where, "grade_column"):
        yield row.where, query, document, _grade(row.values.get(task.collection.grade_column), f"{where}, {row.where}")


def read_candidates(task: TaskConfig, where: Source) -> Iterator[tuple[str, str, str]]:
    """Yield candidates from a table or from TREC's run: the place in the file, and the ids of query and document.

    Raises:
        UserError: if the file lacks a column or a field.
    """
    if _is_trec(where):
        for place, (query, _, document, *_) in _trec(task, where, _RUN):
            yield place, query, document
        return
    for row, query, document in _named_in(task, where):
        yield row.where, query, document


def _is_trec(where: Source) -> bool:
    return Path(where.name).suffix.lower() in _TREC


def _named_in(task: TaskConfig, where: Source, *more: str) -> Iterator[tuple[Row, str, str]]:
    """Yield the rows of a table that names queries and documents, with their ids.

    Args:
        task: the task's config, which names the columns.
        where: the file.
        more: the keys of other columns that the table must have.
    """
    keys = ("query_column", "document_column", *more)
    query, document, *_ = columns = [getattr(task.collection, key) for key in keys]
    for row in _rows(task, where, {f"task.collection.{key}": name for key, name in zip(keys, columns, strict=True)}):
        place = f"{where}, {row.where}"
        yield row, _id(row, query, place), _id(row, document, place)


def _trec(task: TaskConfig, where: Source, names: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the place of each line, and its fields, which have these names."""
    lines = text_file(content_of(Path(where.name), where, _TREC), task.encoding).lines()
    for line in lines:
        fields = line.split()
        if not fields:
            continue
        place = f"line {lines.number}"
        if len(fields) != len(names):
            kind = "qrels" if names is _QRELS else "run"
            raise UserError(
                f"{where}, {place}: it has {len(fields)} fields, but a line of TREC's {kind} has {len(names)}: "
                f"{', '.join(names)}. Correct the line. A table needs a name that ends in {', '.join(TABLES)}."
            )
        yield place, fields


def _rows(task: TaskConfig, where: Source, needed: dict[str, str], optional: Sequence[str] = ()) -> Iterator[Row]:
    """Return the rows of a table. `needed` is the columns that it must have, by the keys that name them."""
    delimiter = task.delimiter and task.delimiter.value
    rows = open_rows(Path(where.name), [*needed.values(), *optional], where, task.encoding, delimiter)
    for key, column in needed.items():
        if column not in rows.columns:
            raise UserError(f"{key}: {where.name} has no column '{column}'. {did_you_mean(column, rows.columns)}")
    return rows.rows


def _id(row: Row, column: str, where: str) -> str:
    value = row.values.get(column)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"{where}: column '{column}' holds {value!r:.50}, but must hold an id. Correct the row.")
    return value.strip()


def _text(row: Row, column: str, where: str) -> str:
    value: Any = row.values.get(column)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UserError(f"{where}: column '{column}' holds {value!r:.50}, which is not a text. Name another column.")
    check_characters(value, where)
    return value.strip()


def _grade(value: Any, where: str) -> float:
    grade = finite_number(value)
    if grade is None:
        raise UserError(
            f"{where}: the grade is {value!r:.50}, but must be a number: 0 or less for a document that is not "
            "relevant, and a higher number for a better document. Correct it."
        )
    return grade
