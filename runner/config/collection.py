"""Define the config of a test collection: the files of a task of kind retrieval or rerank."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class CollectionConfig:
    """The files of a test collection, if task.source is collection.

    Files that are not named are in the folder task.path. Documents and queries are tables. Judgements are a table, too,
    unless the name of their file ends in .qrels, .qrel, .run, .trec or .txt.
    """

    documents: str | None = None  # the file of the documents; null takes corpus.jsonl in the folder
    queries: str | None = None  # the file of the queries; null takes queries.jsonl in the folder
    judgements: str | None = None  # the file of the judgements; null takes qrels/test.tsv in the folder
    candidates: str | None = None  # the documents that a reranker scores, as a table or TREC's run; null: judged ones
    id_column: str = "_id"  # the column of the ids of documents and queries
    title_column: str | None = "title"  # the column of the documents' titles, if the file has it; null: no titles
    query_column: str = "query-id"  # the column of the queries' ids in a table of judgements
    document_column: str = "corpus-id"  # the column of the documents' ids in a table of judgements
    grade_column: str = "score"  # the column of the grades in a table of judgements; above 0 is relevant
    leave_out_unjudged: bool = False  # whether queries without a judgement are left out; otherwise they are refused
