"""Read a test collection: documents, queries, and how people judge documents for a query.

A collection is a folder in BEIR's format, or a file for each of the three. Documents and queries are tables with an id
and a text. Judgements are a table, or TREC's qrels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runner.config.task import TaskConfig
from runner.config.task_kinds import RANKED, RERANK, RETRIEVAL
from runner.errors import UserError
from runner.tasks.collection_files import Entry, file_of, read_candidates, read_entries, read_judged
from runner.tasks.rows import Source
from runner.tasks.split import shuffled
from runner.tasks.texts import Example, Judgement, Texts

_NAMED = 3  # the number of ids that a message names


@dataclass(frozen=True)
class _Judged:
    """One judgement: the ids of a query and of a document, and the grade."""

    query: str
    document: str
    grade: float


def load(task: TaskConfig, downloads: Path) -> Texts:
    """Return the queries as test texts, the documents, and the judgements.

    For a reranker, the test texts are pairs of a query and a candidate, and there are no other documents.

    Raises:
        UserError: if a file is missing or cannot be read, if an id occurs twice, if there are no documents, if a
            judgement names a query or a document that is not there, or if a query has no judgement or no candidate.
    """
    _check_kind(task)
    paths = _paths(task)
    documents = _by_id(read_entries(task, "documents", paths["documents"], may_be_empty=True), paths["documents"])
    queries = _by_id(read_entries(task, "queries", paths["queries"]), paths["queries"])
    judged = _judgements(task, paths["judgements"], queries, documents)
    queries = _judged_queries(task, queries, {judgement.query for judgement in judged}, paths["queries"])
    if task.kind == RETRIEVAL:
        return _retrieval(queries, documents, judged)
    return _rerank(queries, documents, judged, _candidates(task, queries, documents, judged))


def identity(task: TaskConfig) -> dict[str, Any]:
    """Return the hashes of the files and the settings for reading them."""
    _check_kind(task)
    hashes = {}
    for name, where in _paths(task).items():
        with Path(where.name).open("rb") as file:
            hashes[name] = [hashlib.file_digest(file, "sha256").hexdigest(), Path(where.name).suffixes[-2:]]
    read_as = {key: value for key, value in asdict(task.collection).items() if key not in hashes}
    declared = {"encoding": task.encoding, "delimiter": task.delimiter and task.delimiter.value}
    return {"files": hashes, "text_column": task.text_column} | read_as | declared


def _check_kind(task: TaskConfig) -> None:
    if task.kind not in RANKED:
        raise UserError(
            f"task.source of '{task.name}' is collection, but task.kind is {task.kind}. Set task.kind={RETRIEVAL}, or "
            f"task.kind={RERANK} for a cross-encoder."
        )
    if task.kind == RETRIEVAL and task.collection.candidates is not None:
        raise UserError(
            f"task.collection.candidates is set, but with task.kind={RETRIEVAL} all documents are searched. Remove it, "
            f"or set task.kind={RERANK}."
        )


def _paths(task: TaskConfig) -> dict[str, Source]:
    """Return the file of each part of the collection, with the key that names it."""
    more = ["candidates"] if task.collection.candidates is not None else []
    return {name: file_of(task, name) for name in ("documents", "queries", "judgements", *more)}


def _by_id(entries: Iterable[Entry], where: Source) -> dict[str, Entry]:
    """Return documents or queries by their ids.

    Raises:
        UserError: if an id occurs twice, or if there is none.
    """
    found: dict[str, Entry] = {}
    for entry in entries:
        if first := found.get(entry.id):
            raise UserError(
                f"{where}, {entry.where}: the id '{entry.id:.50}' occurs twice; the first one is in {first.where}. "
                "Give each its own id, or remove one."
            )
        found[entry.id] = entry
    if not found:
        raise UserError(f"{where} holds no rows. A collection needs documents and queries.")
    return found


def _judgements(
    task: TaskConfig, where: Source, queries: Mapping[str, Entry], documents: Mapping[str, Entry]
) -> list[_Judged]:
    """Return the judgements, each of which names a query and a document that are there.

    Raises:
        UserError: if one does not, if two have the same query and document, or if there is none.
    """
    found: dict[tuple[str, str], str] = {}
    judged = []
    for place, query, document, grade in read_judged(task, where):
        _check_known("query", query, queries, f"{where}, {place}")
        _check_known("document", document, documents, f"{where}, {place}")
        if first := found.get((query, document)):
            raise UserError(
                f"{where}, {place}: the document '{document:.50}' is judged twice for the query '{query:.50}'; the "
                f"first judgement is in {first}. Remove one."
            )
        found[query, document] = place
        judged.append(_Judged(query, document, grade))
    if not judged:
        raise UserError(f"{where} holds no judgements. Judge some documents for each query.")
    return judged


def _check_known(what: str, name: str, known: Collection[str], where: str) -> None:
    if name not in known:
        some = ", ".join(f"'{one:.50}'" for one in list(known)[:_NAMED])
        raise UserError(
            f"{where}: there is no {what} '{name:.50}'. Allowed: the ids of the {len(known)} that are there, such as "
            f"{some}. Correct the id, or remove the row."
        )


def _judged_queries(
    task: TaskConfig, queries: Mapping[str, Entry], judged: Collection[str], where: Source
) -> dict[str, Entry]:
    """Return the queries that have a judgement.

    Raises:
        UserError: if there are others, and `leave_out_unjudged` is false.
    """
    others = [entry for key, entry in queries.items() if key not in judged]
    if others and not task.collection.leave_out_unjudged:
        count = f"{len(others)} of {len(queries)} queries have" if len(others) > 1 else "a query has"
        raise UserError(
            f"{where}, {others[0].where}: {count} no judgement, such as '{others[0].id:.50}'. Judge a document for "
            "each, or remove them. If they belong to another split, set task.collection.leave_out_unjudged=true."
        )
    return {key: entry for key, entry in queries.items() if key in judged}


def _candidates(
    task: TaskConfig, queries: Mapping[str, Entry], documents: Mapping[str, Entry], judged: Iterable[_Judged]
) -> dict[str, list[str]]:
    """Return the ids of each query's candidates. Without a file of candidates, they are the judged documents.

    Raises:
        UserError: if the file names a document that is not there or twice for a query, or if a query has none.
    """
    found: dict[str, dict[str, str]] = {key: {} for key in queries}
    if task.collection.candidates is None:
        for judgement in judged:
            found[judgement.query][judgement.document] = ""
        return {key: list(own) for key, own in found.items()}
    where = file_of(task, "candidates")
    for place, query, document in read_candidates(task, where):
        if query not in found:
            continue  # it belongs to another split
        _check_known("document", document, documents, f"{where}, {place}")
        if first := found[query].get(document):
            raise UserError(
                f"{where}, {place}: the document '{document:.50}' is a candidate of the query '{query:.50}' twice; "
                f"the first one is in {first}. Remove one."
            )
        found[query][document] = place
    for key, own in found.items():
        if not own:
            raise UserError(
                f"{where}: the query '{key:.50}' has no candidate. Add its documents, or remove its judgements and set "
                "task.collection.leave_out_unjudged=true."
            )
    return {key: list(own) for key, own in found.items()}


def _rerank(
    queries: Mapping[str, Entry],
    documents: Mapping[str, Entry],
    judged: Iterable[_Judged],
    candidates: Mapping[str, Collection[str]],
) -> Texts:
    """Return the pairs of queries and candidates in a shuffled order, and how each was judged; 0 if it was not."""
    grade_of = {(one.query, one.document): one.grade for one in judged}
    asked = [(query, document) for query, own in candidates.items() for document in own]
    numbered = [
        Example(queries[q].text, number, f"{documents[d].text}\n{q}\n{d}") for number, (q, d) in enumerate(asked)
    ]
    pairs = [asked[example.label] for example in shuffled(numbered) if isinstance(example.label, int)]
    number_of = {key: number for number, key in enumerate(_shuffled(queries))}
    judgements = [Judgement(number_of[q], place, grade_of.get((q, d), 0.0)) for place, (q, d) in enumerate(pairs)]
    others = grade_of.keys() - set(pairs)
    judgements += [Judgement(number_of[q], -1 - place, grade_of[q, d]) for place, (q, d) in enumerate(sorted(others))]
    examples = [Example(queries[q].text, None, documents[d].text) for q, d in pairs]
    return Texts([], [], [], examples, judgements=sorted(judgements), kind=RERANK)


def _retrieval(queries: Mapping[str, Entry], documents: Mapping[str, Entry], judged: Iterable[_Judged]) -> Texts:
    """Return queries and documents, each in a shuffled order, and the judgements by their places in it."""
    query_ids, document_ids = _shuffled(queries), _shuffled(documents)
    query_of, document_of = ({key: place for place, key in enumerate(ids)} for ids in (query_ids, document_ids))
    return Texts(
        *([], [], []),
        [Example(queries[key].text, None) for key in query_ids],
        documents=[Example(documents[key].text, None) for key in document_ids],
        judgements=sorted(Judgement(query_of[one.query], document_of[one.document], one.grade) for one in judged),
        kind=RETRIEVAL,
    )


def _shuffled(entries: Mapping[str, Entry]) -> list[str]:
    """Return the ids in the order of the hashes of ids and texts."""
    ids = list(entries)
    numbered = [Example(entries[key].text, place, key) for place, key in enumerate(ids)]
    return [ids[example.label] for example in shuffled(numbered) if isinstance(example.label, int)]
