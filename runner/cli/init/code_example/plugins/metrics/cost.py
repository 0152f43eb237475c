"""A metric of your own: a function `metric`. It is called when a sweep is collected; in the report it is a column."""

from __future__ import annotations

from collections.abc import Sequence

MISSED, FALSE_ALARM = 5.0, 1.0


def metric(
    labels: Sequence[str | None],
    predictions: Sequence[str | None],
    probabilities: Sequence[Sequence[float] | None],
    names: Sequence[str],
) -> float:
    """Return what wrong predictions cost a text: a bad review that is missed costs five times a false alarm.

    Args:
        labels: the true ones, one per text; None where there is none.
        predictions: None where a logit was not a finite number.
        probabilities: of every label, in the order of `names`; None with the prediction.
        names: of the labels.
    """
    wrong = [label for label, prediction in zip(labels, predictions, strict=True) if label != prediction]
    return sum(MISSED if label == "bad" else FALSE_ALARM for label in wrong) / len(labels)
