"""Test collections: BEIR folders, TREC's qrels and tables are read alike, and what does not fit is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runner.config.collection import CollectionConfig
from runner.config.task import TaskConfig
from runner.config.task_kinds import RERANK, RETRIEVAL
from runner.errors import UserError
from runner.tasks.source import load_texts, task_identity
from runner.tasks.texts import DOCUMENTS, Texts, read_judgements, read_split, texts_to_learn_from, write_texts

DOCUMENTS_BY_ID = {
    "d1": {"title": "Rain", "text": "It falls."},
    "d2": {"title": "", "text": "The sun."},
    "d3": {"text": ""},
}
QUERIES_BY_ID = {"q1": {"text": "What falls?"}, "q2": {"text": "What shines?"}}
JUDGED = [("q1", "d1", 2), ("q1", "d2", 0), ("q2", "d2", 1)]


def _lines(rows: dict[str, dict[str, str]]) -> str:
    return "".join(json.dumps({"_id": key} | row) + "\n" for key, row in rows.items())


def _beir(folder: Path, **contents: str) -> Path:
    """Write a BEIR folder. `contents` replaces the content of a file, by documents, queries or judgements."""
    (folder / "qrels").mkdir()
    judged = "".join(f"{query}\t{document}\t{grade}\n" for query, document, grade in JUDGED)
    given = {"documents": _lines(DOCUMENTS_BY_ID), "queries": _lines(QUERIES_BY_ID)}
    given |= {"judgements": f"query-id\tcorpus-id\tscore\n{judged}"} | contents
    (folder / "corpus.jsonl").write_text(given["documents"])
    (folder / "queries.jsonl").write_text(given["queries"])
    (folder / "qrels" / "test.tsv").write_text(given["judgements"])
    return folder


def _task(folder: Path | None, count: int | None = None, kind: str = RETRIEVAL, **keys: Any) -> TaskConfig:
    collection = CollectionConfig(**keys)
    path = str(folder) if folder else None
    return TaskConfig(
        name="c",
        source="collection",
        kind=kind,
        path=path,
        label_column=None,
        collection=collection,
        max_test_texts=count,
    )


def _judged(texts: Texts) -> set[tuple[str, str, float]]:
    return {(texts.test[query].text, texts.documents[place].text, grade) for query, place, grade in texts.judgements}


EXPECTED = {("What falls?", "Rain It falls.", 2.0), ("What falls?", "The sun.", 0.0), ("What shines?", "The sun.", 1.0)}


def test_a_beir_folder(tmp_path: Path) -> None:
    texts = load_texts(_task(_beir(tmp_path)), tmp_path)
    assert _judged(texts) == EXPECTED
    assert sorted(document.text for document in texts.documents) == ["", "Rain It falls.", "The sun."]
    assert (texts.labels, texts.train, texts.kind) == ([], [], RETRIEVAL)


def test_trec_s_qrels_and_tables_with_other_columns(tmp_path: Path) -> None:
    (tmp_path / "own.qrels").write_text(
        "".join(f"{query} 0  {document} {grade}\n" for query, document, grade in JUDGED)
    )
    rows = "".join(f"{key},{row.get('title', '')},{row['text']}\n" for key, row in DOCUMENTS_BY_ID.items())
    (tmp_path / "documents.csv").write_text("docno,head,text\n" + rows)
    (tmp_path / "queries.tsv").write_text(
        "docno\ttext\n" + "".join(f"{k}\t{r['text']}\n" for k, r in QUERIES_BY_ID.items())
    )
    keys = {"documents": "documents.csv", "queries": "queries.tsv", "judgements": "own.qrels"}
    paths = {key: str(tmp_path / name) for key, name in keys.items()}
    texts = load_texts(_task(None, **paths, id_column="docno", title_column="head"), tmp_path)
    assert _judged(texts) == EXPECTED


def test_the_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one = load_texts(_task(_beir(tmp_path / "a")), tmp_path)
    other = _beir(tmp_path / "b", documents=_lines(dict(reversed(DOCUMENTS_BY_ID.items()))))
    assert load_texts(_task(other), tmp_path) == one


def test_a_sample_is_one_of_queries(tmp_path: Path) -> None:
    folder = _beir(tmp_path)
    texts = load_texts(_task(folder, count=1), tmp_path)
    assert (len(texts.test), len(texts.documents)) == (1, 3)
    assert _judged(texts) == {judged for judged in EXPECTED if judged[0] == texts.test[0].text}


def test_queries_of_other_splits_may_be_left_out(tmp_path: Path) -> None:
    folder = _beir(tmp_path, queries=_lines(QUERIES_BY_ID | {"q3": {"text": "Who?"}}))
    assert len(load_texts(_task(folder, leave_out_unjudged=True), tmp_path).test) == 2


def test_steps_learn_from_documents(tmp_path: Path) -> None:
    texts = load_texts(_task(_beir(tmp_path)), tmp_path)
    (tmp_path / "texts").mkdir()
    write_texts(texts, tmp_path / "texts")
    assert texts_to_learn_from(tmp_path / "texts") == (DOCUMENTS, texts.documents)
    assert read_judgements(tmp_path / "texts") == texts.judgements
    assert read_split(tmp_path / "texts", "test") == texts.test


def test_the_identity_is_that_of_the_files(tmp_path: Path) -> None:
    task = _task(_beir(tmp_path))
    before = task_identity(task)
    with (tmp_path / "qrels" / "test.tsv").open("a") as file:
        file.write("q2\td1\t1\n")
    assert task_identity(task) != before


DOUBLE = _lines(DOCUMENTS_BY_ID) + _lines({"d1": {"text": "Again."}})


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({"documents": ""}, r"corpus\.jsonl holds no rows\. A collection needs documents"),
        ({"documents": DOUBLE}, r"corpus\.jsonl, line 4: the id 'd1' occurs twice; the first one is in line 1"),
        ({"queries": _lines(QUERIES_BY_ID) * 2}, r"queries\.jsonl, line 3: the id 'q1' occurs twice"),
        ({"queries": _lines(QUERIES_BY_ID | {"q3": {"text": "?"}})}, r"line 3: a query has no judgement, such as 'q3'"),
        ({"queries": _lines({"q1": {"text": " "}})}, r"queries\.jsonl, line 1: column 'text' is empty"),
        ({"documents": '{"id": "d1", "text": "a"}\n'}, r"task\.collection\.id_column: .* has no column '_id'"),
        ({"documents": '{"_id": null, "text": "a"}\n'}, r"line 1: column '_id' holds None, but must hold an id"),
        ({"judgements": "query-id\tcorpus-id\tscore\n"}, r"test\.tsv holds no judgements"),
        (
            {"judgements": "query-id\tcorpus-id\tscore\nq1\td9\t1\n"},
            r"test\.tsv, line 2: there is no document 'd9'\. Allowed: the ids of the 3 that are there, such as 'd1'",
        ),
        ({"judgements": "query-id\tcorpus-id\tscore\nq9\td1\t1\n"}, r"test\.tsv, line 2: there is no query 'q9'"),
        ({"judgements": "query-id\tcorpus-id\tscore\nq1\td1\tgood\n"}, r"line 2: the grade is 'good', but must be a"),
        (
            {"judgements": "query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td1\t2\n"},
            r"line 3: the document 'd1' is judged twice for the query 'q1'; the first judgement is in line 2",
        ),
        ({"judgements": "query\tcorpus-id\tscore\nq1\td1\t1\n"}, r"query_column: .* has no column 'query-id'"),
    ],
)
def test_what_does_not_fit_is_refused(contents: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        load_texts(_task(_beir(tmp_path, **contents)), tmp_path)


def test_a_line_of_qrels_with_other_fields_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("q1 0 d1 1\nq1 d2 1\n")
    with pytest.raises(
        UserError, match=r"own\.txt, line 2: it has 3 fields, but a line of TREC's qrels has 4: query, "
    ):
        load_texts(_task(_beir(tmp_path), judgements=str(tmp_path / "own.txt")), tmp_path)


def test_files_that_are_not_named_or_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"task\.collection\.documents is not set\. Name the file, or a folder in"):
        load_texts(_task(None), tmp_path)
    with pytest.raises(UserError, match=r"task\.path: cannot read .*corpus\.jsonl: No such file"):
        load_texts(_task(tmp_path), tmp_path)


def test_a_collection_is_for_retrieval(tmp_path: Path) -> None:
    task = TaskConfig(name="c", source="collection", path=str(_beir(tmp_path)))
    with pytest.raises(UserError, match=r"is collection, but task\.kind is single-label\. Set task\.kind=retrieval"):
        load_texts(task, tmp_path)


def _scored(texts: Texts) -> set[tuple[str, str, float]]:
    pairs = {place: (example.text, str(example.pair)) for place, example in enumerate(texts.test)}
    return {(*pairs[place], grade) for _, place, grade in texts.judgements if place >= 0}


def test_a_reranker_gets_the_judged_documents(tmp_path: Path) -> None:
    texts = load_texts(_task(_beir(tmp_path), kind=RERANK), tmp_path)
    assert _scored(texts) == EXPECTED
    assert (texts.documents, texts.kind) == ([], RERANK)
    assert len({judgement.first for judgement in texts.judgements}) == 2


@pytest.mark.parametrize("name", ["first.run", "first.csv"])
def test_a_reranker_gets_the_candidates_that_are_named(name: str, tmp_path: Path) -> None:
    """Of the first query the relevant document is missing, and one was not judged. The third is of another split."""
    asked = [("q1", "d2"), ("q1", "d3"), ("q2", "d2"), ("q3", "d1")]
    rows = [f"{query} Q0 {document} 1 0.5 bm25" for query, document in asked]
    table = ["query-id,corpus-id", *(",".join(row) for row in asked)]
    (tmp_path / name).write_text("\n".join(rows if name.endswith("run") else table) + "\n")
    texts = load_texts(_task(_beir(tmp_path), kind=RERANK, candidates=str(tmp_path / name)), tmp_path)
    assert _scored(texts) == {
        ("What falls?", "The sun.", 0.0),
        ("What falls?", "", 0.0),
        ("What shines?", "The sun.", 1.0),
    }
    assert [grade for _, place, grade in texts.judgements if place < 0] == [2.0]


def test_a_reranker_s_sample_is_one_of_queries(tmp_path: Path) -> None:
    task = _task(_beir(tmp_path), kind=RERANK, count=1)
    texts = load_texts(task, tmp_path)
    (query,) = {example.text for example in texts.test}
    assert _scored(texts) == {scored for scored in EXPECTED if scored[0] == query}


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ("q1 Q0 d9 1 0.5 a\n", r"first\.run, line 1: there is no document 'd9'"),
        ("q1 Q0 d1 1 0.5 a\n", r"the query 'q2' has no candidate\. Add its documents"),
        ("q1 Q0 d1 1 0.5 a\nq1 Q0 d1 2 0.4 a\n", r"line 2: the document 'd1' is a candidate of the query 'q1' twice"),
        ("q1 0 d1 1\n", r"line 1: it has 4 fields, but a line of TREC's run has 6"),
    ],
)
def test_candidates_that_do_not_fit_are_refused(run: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "first.run").write_text(run)
    with pytest.raises(UserError, match=message):
        load_texts(_task(_beir(tmp_path), kind=RERANK, candidates=str(tmp_path / "first.run")), tmp_path)


def test_candidates_are_for_a_reranker(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"with task\.kind=retrieval all documents are searched"):
        load_texts(_task(_beir(tmp_path), candidates="first.run"), tmp_path)
