"""Store the vectors of documents in fewer bits, as a search engine does, and find those nearest to a query.

The query's vector stays in float32. Pure functions.
"""

from __future__ import annotations

import numpy as np

from runner.results.similarity import unit

FLOAT32, INT8, BINARY = "float32", "int8", "binary"
_STEPS = 255  # between the least and the highest value of a dimension, in int8
_RESCORED = 400  # documents that binary vectors find, which are then ranked by the query's own vector
_QUERIES_AT_ONCE = 64
DEPTH = 100  # the length of a ranking


def nearest(queries: np.ndarray, documents: np.ndarray, stored: str = FLOAT32) -> list[list[int] | None]:
    """Return the places of the documents nearest to each query, nearest first.

    They are ranked by the cosine with their stored vectors. With `int8`, each dimension of a document is rounded to
    one of 256 values between its least and its highest one, as the scalar quantizer of Faiss does (M. Douze et al.,
    "The Faiss library", 2024). With `binary`, only the signs are stored. The documents with the most signs in common
    are found, and ranked by the product of the query's vector with their signs (I. Yamada et al., ACL 2021).

    A query has no ranking if its vector, or that of a document, holds a number that is not finite.

    Args:
        queries, documents: [texts, width].
        stored: how the vectors of documents are stored: float32, int8 or binary.
    """
    if not np.isfinite(documents).all():
        return [None] * len(queries)
    kept = _stored(unit(documents), stored).T
    found: list[list[int] | None] = []
    for start in range(0, len(queries), _QUERIES_AT_ONCE):
        part = queries[start : start + _QUERIES_AT_ONCE]
        scores = unit(part) @ kept
        if stored == BINARY:
            scores = _rescored(scores, _signs(part) @ kept)
        rows = zip(np.isfinite(part).all(axis=1), scores, strict=True)
        found += [ranking(row) if known else None for known, row in rows]
    return found


def ranking(scores: np.ndarray, depth: int = DEPTH) -> list[int]:
    """Return the places of the highest scores, highest first. Equal scores keep their order."""
    depth = min(depth, len(scores))
    least = np.partition(scores, len(scores) - depth)[len(scores) - depth]
    places = np.flatnonzero(scores >= least)
    ordered: list[int] = places[np.argsort(-scores[places], kind="stable")][:depth].tolist()
    return ordered


def _stored(vectors: np.ndarray, stored: str) -> np.ndarray:
    """Return the vectors as a search sees them."""
    if stored == BINARY:
        return _signs(vectors)
    if stored == FLOAT32:
        return vectors
    low, high = vectors.min(axis=0), vectors.max(axis=0)
    step = np.maximum(high - low, np.finfo(float).tiny) / _STEPS
    rounded: np.ndarray = low + np.round((vectors - low) / step) * step
    return rounded


def _signs(vectors: np.ndarray) -> np.ndarray:
    return np.where(vectors > 0, 1.0, -1.0)


def _rescored(scores: np.ndarray, agreements: np.ndarray) -> np.ndarray:
    """Return the scores of the documents that agree with the query in the most signs; −∞ for others."""
    limited = np.full_like(scores, -np.inf)
    for row, agreement in enumerate(agreements):
        places = ranking(agreement, _RESCORED)
        limited[row, places] = scores[row, places]
    return limited
