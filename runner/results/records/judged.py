"""The columns of how a model's output agrees with people's judgements of two texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

_LOW = "Lower end of its 95% interval (Student's t over the pairs, by the jackknife)."
_HIGH = "Upper end of its 95% interval."


@dataclass(kw_only=True)
class Correlation:
    """For a task of kind similarity: how the cosines of the pairs follow people's scores; null for random weights."""

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
