"""The columns of how a model's output agrees with people's judgements of two texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

_LOW = "Lower end of its 95% interval (Student's t over the pairs, by the jackknife)."
_LOW_BY_QUERY = "Lower end of its 95% interval (Student's t over the queries)."
_HIGH = "Upper end of its 95% interval."


@dataclass(kw_only=True)
class Correlation:
    """For a task of kind similarity: correlation of pairs' cosines with people's scores; null for random weights."""

    spearman: Annotated[
        float | None, "For pairs with scores: Spearman's rank correlation of the cosines with the scores."
    ] = None
    spearman_difference: Annotated[float | None, "spearman − the baseline's, on the same pairs."] = None
    spearman_difference_low: Annotated[float | None, _LOW] = None
    spearman_difference_high: Annotated[float | None, _HIGH] = None
    pearson: Annotated[float | None, "For pairs with scores: Pearson's correlation of the cosines with the scores."] = (
        None
    )
    pearson_difference: Annotated[float | None, "pearson − the baseline's, on the same pairs."] = None
    pearson_difference_low: Annotated[float | None, _LOW] = None
    pearson_difference_high: Annotated[float | None, _HIGH] = None


@dataclass(kw_only=True)
class Ranking:
    """For tasks of queries: how well documents are ranked, as means over the queries; null for random weights."""

    ndcg_at_10: Annotated[
        float | None,
        "For queries: mean of the normalized discounted cumulative gain of the first 10 documents, from 0 to 1.",
    ] = None
    ndcg_at_10_difference: Annotated[float | None, "ndcg_at_10 − the baseline's, on the same queries."] = None
    ndcg_at_10_difference_low: Annotated[float | None, _LOW_BY_QUERY] = None
    ndcg_at_10_difference_high: Annotated[float | None, _HIGH] = None
    mrr_at_10: Annotated[
        float | None,
        "For queries: mean of 1 ÷ the rank of the first relevant document, 0 if none is among the first 10.",
    ] = None
    mrr_at_10_difference: Annotated[float | None, "mrr_at_10 − the baseline's, on the same queries."] = None
    mrr_at_10_difference_low: Annotated[float | None, _LOW_BY_QUERY] = None
    mrr_at_10_difference_high: Annotated[float | None, _HIGH] = None
    recall_at_10: Annotated[
        float | None, "For queries: mean of the share of relevant documents that are among the first 10."
    ] = None
    recall_at_10_difference: Annotated[float | None, "recall_at_10 − the baseline's, on the same queries."] = None
    recall_at_10_difference_low: Annotated[float | None, _LOW_BY_QUERY] = None
    recall_at_10_difference_high: Annotated[float | None, _HIGH] = None
    recall_at_100: Annotated[
        float | None, "For queries: mean of the share of relevant documents that are among the first 100."
    ] = None
    recall_at_100_difference: Annotated[float | None, "recall_at_100 − the baseline's, on the same queries."] = None
    recall_at_100_difference_low: Annotated[float | None, _LOW_BY_QUERY] = None
    recall_at_100_difference_high: Annotated[float | None, _HIGH] = None
