"""Show, in columns, a figure that follows from people's judgements, with its difference to the baseline's."""

from __future__ import annotations

from runner.results.format import UNKNOWN, signed
from runner.results.tables import Row

_ENDS = ("_difference", "_difference_low", "_difference_high")
_DIFFERENCE = "with its difference to the baseline's on the same examples and its 95% interval"

#: The title and the explanation of each figure, by its column of the summary.
JUDGED = {
    "spearman": ("Spearman", f"rank correlation of the cosines of pairs with people's scores, {_DIFFERENCE}"),
    "ndcg_at_10": ("nDCG@10", f"mean over the queries of the nDCG of the ranked documents, {_DIFFERENCE}"),
    "mrr_at_10": ("MRR@10", f"mean of 1 ÷ the rank of the first relevant document, {_DIFFERENCE}"),
    "recall_at_10": ("Recall@10", f"share of relevant documents among the first 10, {_DIFFERENCE}"),
    "recall_at_100": ("Recall@100", f"share of relevant documents among the first 100, {_DIFFERENCE}"),
    "pearson": ("Pearson", f"correlation of the cosines of pairs with people's scores, {_DIFFERENCE}"),
}


def judged_texts(row: Row, name: str) -> tuple[str, str]:
    """Return a figure, and its difference to the baseline's with the interval.

    Args:
        row: a row of the summary.
        name: the column of the figure.
    """
    value, difference, low, high = (row[f"{name}{end}"] for end in ("", *_ENDS))
    if value is None:
        return UNKNOWN, ""
    if difference is None:
        return f"{value:.3f}", ""
    interval = "" if low is None or high is None else f", {signed(low, 3)} to {signed(high, 3)}"
    return f"{value:.3f}", f"{signed(difference, 3)}{interval}"
