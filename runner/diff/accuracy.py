"""How the accuracy and the predictions of a job changed."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr

from runner.diff.change import ACCURACY, PREDICTIONS, Change
from runner.diff.join import Pair, Side
from runner.results.non_inferiority import Paired, paired_shares
from runner.results.statistics import wilson_interval
from runner.results.token_metrics import difference, per_text

ROUNDING = "evaluated by accuracy: another CPU may round otherwise"


def accuracy_change(pair: Pair) -> Change | None:
    """Compare accuracies: example by example where both sides evaluated the same examples, else as two proportions.

    In tagged texts every word is an example, but only the texts are independent of each other.
    """
    a, b = pair.a.row, pair.b.row
    if a["accuracy"] is None or b["accuracy"] is None:
        return None
    if _same_labelled_examples(pair):
        change, low, high, p_value = _paired(pair)
        note = ""
    else:
        counts = [(round(side.row["accuracy"] * _independent(side)), _independent(side)) for side in (pair.a, pair.b)]
        change, low, high, p_value = newcombe(*counts[0], *counts[1])
        note = "not the same labelled examples"
    return Change(
        ACCURACY,
        a=a["accuracy"],
        b=b["accuracy"],
        n_a=a["examples"],
        n_b=b["examples"],
        difference=change,
        low=low,
        high=high,
        p_value=p_value,
        note=note,
    )


def predictions_change(pair: Pair, same_cpu: bool) -> Change | None:
    """Count the examples for which B predicts something else than A.

    On one CPU the same artifact always makes the same predictions, so any change is real. Another CPU may round
    differently, which changes the few predictions that are nearly undecided. Then only the accuracy can tell.
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


def _paired(pair: Pair) -> tuple[float, float | None, float | None, float | None]:
    """Return the difference B − A on the same examples, its 95% interval and p-value."""
    right_a, right_b, a = _right(pair.a), _right(pair.b), pair.a.examples
    if not a.are_words:
        return _with_interval(paired_shares(right_a, right_b))
    before, after = per_text(right_a, a.of_text), per_text(right_b, a.of_text)
    found = difference(before, after)
    return (after.value - before.value, None, None, None) if found is None else _with_interval(found)


def _with_interval(paired: Paired) -> tuple[float, float, float, float]:
    return paired.value, *paired.interval, paired.p_value


def _independent(side: Side) -> int:
    """Return the number of independent examples; for words that of their texts, as if words of a text were alike."""
    texts = len(np.unique(side.examples.of_text))
    return texts if side.examples.are_words else int(side.row["examples"])


def _same_labelled_examples(pair: Pair) -> bool:
    a, b = pair.a.examples, pair.b.examples
    same = np.array_equal(a.text, b.text) and np.array_equal(a.label, b.label)
    return bool(len(a) and same and (a.label >= 0).all())


def _right(side: Side) -> list[bool]:
    right: list[bool] = (side.examples.prediction == side.examples.label).tolist()
    return right
