"""Evaluate how documents are ranked for a query, by people's grades. Pure functions.

The measures are those of trec_eval (https://github.com/usnistgov/trec_eval), as ir-measures gives them. They are
computed here because ir-measures needs an extension module that has no build for ARM. A test compares them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def ndcg(ranked: Sequence[float], judged: Sequence[float], depth: int) -> float:
    """Return the normalized discounted cumulative gain (K. Järvelin, J. Kekäläinen, ACM Trans. Inf. Syst. 20, 2002).

    Each document gains its grade, which is divided by log₂(rank + 1). The best possible ranking scores 1.

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
