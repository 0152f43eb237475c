"""How the score and the predictions of a job changed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from scipy.special import ndtr

from runner.diff.change import PREDICTIONS, SCORE, Change
from runner.diff.join import Pair, Side
from runner.results.correlation import correlation_difference, spearman
from runner.results.non_inferiority import Paired, paired_mean_difference, paired_shares
from runner.results.score import Score, score_of
from runner.results.statistics import wilson_interval
from runner.results.token_metrics import difference as words_difference
from runner.results.token_metrics import per_text

ROUNDING = "evaluated by accuracy: another CPU may round differently"
OTHER_EXAMPLES = "not the same labelled examples"
_NONE = np.zeros(0)


def score_change(pair: Pair) -> Change | None:
    """Compare scores on the same examples if both sides have them; otherwise compare accuracies as two proportions.

    In tagged texts every word is an example, but only the texts are independent of each other.
    """
    score = score_of(pair.a.row)
    if score is None or score is not score_of(pair.b.row):
        return None
    a, b = (score.value(side.row) or 0.0 for side in (pair.a, pair.b))
    change = Change(SCORE, a=a, b=b, n_a=pair.a.row["examples"], n_b=pair.b.row["examples"], score=score)
    if not _same_examples(pair, score):
        if score.column != "accuracy":
            return replace(change, difference=b - a, not_evaluated=OTHER_EXAMPLES)
        counts = [(round(side.row["accuracy"] * _independent(side)), _independent(side)) for side in (pair.a, pair.b)]
        difference, low, high, p_value = newcombe(*counts[0], *counts[1])
        return replace(change, difference=difference, low=low, high=high, p_value=p_value, note=OTHER_EXAMPLES)
    paired = _PAIRED[score.column](pair)
    if paired is None:
        return replace(change, difference=b - a)
    low, high = paired.interval
    return replace(change, difference=paired.value, low=low, high=high, p_value=paired.p_value)


def predictions_change(pair: Pair, same_cpu: bool) -> Change | None:
    """Count the examples for which B predicts something other than A.

    On one CPU the same artifact always makes the same predictions, so any change is real. Another CPU may round
    differently, which changes the few predictions that are nearly undecided. Then only the accuracy is evaluated.
    """
    a, b = pair.a.examples.prediction, pair.b.examples.prediction
    if not len(a) or len(a) != len(b):
        return None
    return Change(
        PREDICTIONS,
        n_a=len(a),
        n_b=len(b),
        difference=int((a != b).sum()),
        certain=True,
        not_evaluated="" if same_cpu else ROUNDING,
    )


def newcombe(right_a: int, n_a: int, right_b: int, n_b: int) -> tuple[float, float, float, float]:
    """Return the difference B − A of two independent proportions, its 95% interval and p-value.

    The interval combines both Wilson intervals (R. G. Newcombe, Statist. Med. 17, 1998, method 10). The p-value is that
    of the score test with a common proportion.
    """
    a, b = right_a / n_a, right_b / n_b
    (low_a, high_a), (low_b, high_b) = wilson_interval(right_a, n_a), wilson_interval(right_b, n_b)
    low = b - a - math.hypot(b - low_b, high_a - a)
    high = b - a + math.hypot(high_b - b, a - low_a)
    common = (right_a + right_b) / (n_a + n_b)
    error = math.sqrt(common * (1 - common) * (1 / n_a + 1 / n_b))
    p_value = 2 * float(ndtr(-abs(b - a) / error)) if error else 1.0
    return b - a, low, high, p_value


def _paired_accuracy(pair: Pair) -> Paired | None:
    """Return the difference B − A on the same examples; None for the words of a single text."""
    right_a, right_b, a = _right(pair.a), _right(pair.b), pair.a.examples
    if not a.are_words:
        return paired_shares(right_a, right_b)
    return words_difference(per_text(right_a, a.of_text), per_text(right_b, a.of_text))


def _paired_spearman(pair: Pair) -> Paired | None:
    a, b = pair.a.examples.judged, pair.b.examples.judged
    return correlation_difference(spearman, a["score"], a["similarity"], b["similarity"])


def _paired_ndcg(pair: Pair) -> Paired | None:
    a, b = (side.examples.judged["ndcg_at_10"] for side in (pair.a, pair.b))
    return paired_mean_difference(a, b) if len(a) > 1 else None


_PAIRED: Mapping[str, Callable[[Pair], Paired | None]] = {  # by the column of the score
    "accuracy": _paired_accuracy,
    "spearman": _paired_spearman,
    "ndcg_at_10": _paired_ndcg,
}


def _independent(side: Side) -> int:
    """Return the number of independent examples; for words, the number of texts, as if words of a text were alike."""
    texts = len(np.unique(side.examples.of_text))
    return texts if side.examples.are_words else int(side.row["examples"])


def _same_examples(pair: Pair, score: Score) -> bool:
    """Return whether both sides have the same examples with the same labels, or with the same scores from people."""
    a, b = pair.a.examples, pair.b.examples
    if not len(a) or not np.array_equal(a.text, b.text):
        return False
    if score.column == "accuracy":
        return bool(np.array_equal(a.label, b.label) and (a.label >= 0).all())
    judged_a, judged_b = (one.judged.get("score", _NONE) for one in (a, b))
    return np.array_equal(judged_a, judged_b, equal_nan=True)


def _right(side: Side) -> list[bool]:
    right: list[bool] = (side.examples.prediction == side.examples.label).tolist()
    return right
