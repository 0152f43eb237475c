"""Rank documents for queries, and evaluate rankings by people's grades. Pure functions.

The measures are those of trec_eval (https://github.com/usnistgov/trec_eval), as ir-measures gives them. They are
computed here because ir-measures needs an extension module that has no build for ARM. A test compares them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from runner.results.similarity import unit

DEPTH = 100  # the length of a ranking
_QUERIES_AT_ONCE = 64


def nearest(queries: np.ndarray, documents: np.ndarray) -> list[list[int] | None]:
    """Return the places of the documents nearest to each query by the cosine of their vectors, nearest first.

    A query has no ranking if its vector, or that of a document, holds a number that is not finite.

    Args:
        queries, documents: [texts, width].
    """
    if not np.isfinite(documents).all():
        return [None] * len(queries)
    of_documents = unit(documents).T
    found: list[list[int] | None] = []
    for start in range(0, len(queries), _QUERIES_AT_ONCE):
        part = queries[start : start + _QUERIES_AT_ONCE]
        cosines = unit(part) @ of_documents
        for query, row in zip(part, cosines, strict=True):
            found.append(ranking(row) if np.isfinite(query).all() else None)
    return found


def ranking(scores: np.ndarray) -> list[int]:
    """Return the places of the highest scores, highest first. Of equal ones, the first comes first."""
    depth = min(DEPTH, len(scores))
    least = np.partition(scores, len(scores) - depth)[len(scores) - depth]
    places = np.flatnonzero(scores >= least)
    ordered: list[int] = places[np.argsort(-scores[places], kind="stable")][:depth].tolist()
    return ordered


def ndcg(ranked: Sequence[float], judged: Sequence[float], depth: int) -> float:
    """Return the normalized discounted cumulative gain (K. Järvelin, J. Kekäläinen, ACM Trans. Inf. Syst. 20, 2002).

    Each document gains its grade, which is divided by log₂(rank + 1). The best possible ranking has 1.

    Args:
        ranked: the grades of a query's ranked documents, best first; 0 for one without a judgement.
        judged: all grades of the query.
        depth: how many documents of the ranking count.
    """
    ideal = _dcg(sorted(judged, reverse=True)[:depth])
    return _dcg(ranked[:depth]) / ideal if ideal else 0.0


def reciprocal_rank(ranked: Sequence[float], depth: int) -> float:
    """Return 1 ÷ the rank of the first relevant document; 0 if none is among the first `depth`."""
    return next((1 / rank for rank, grade in enumerate(ranked[:depth], start=1) if grade > 0), 0.0)


def recall(ranked: Sequence[float], judged: Sequence[float], depth: int) -> float:
    """Return the share of the relevant documents that are among the first `depth`; 0 if none is relevant."""
    relevant = sum(grade > 0 for grade in judged)
    return sum(grade > 0 for grade in ranked[:depth]) / relevant if relevant else 0.0


def _dcg(grades: Sequence[float]) -> float:
    gains = np.maximum(np.asarray(grades, dtype=float), 0)
    return float((gains / np.log2(np.arange(2, len(gains) + 2))).sum())
