"""Your own metric: a function `metric`. It is called when a sweep is collected, and is a column of the report."""

from __future__ import annotations

from collections.abc import Sequence

MISSED, FALSE_ALARM = 5.0, 1.0


def metric(
    labels: Sequence[str | None],
    predictions: Sequence[str | None],
    probabilities: Sequence[Sequence[float] | None],
    names: Sequence[str],
) -> float:
    """Return the mean cost of wrong predictions. A missed bad review costs five times as much as a false alarm.

    Args:
        labels: the true label of each text; None if it has none.
        predictions: the predicted label of each text; None if a logit was not a finite number.
        probabilities: the probabilities of all labels, in the order of `names`; None if there is no prediction.
        names: the names of the labels.
    """
    wrong = [label for label, prediction in zip(labels, predictions, strict=True) if label != prediction]
    return sum(MISSED if label == "bad" else FALSE_ALARM for label in wrong) / len(labels)
