"""A metric of your own is a function `metric`. It is called when a sweep is collected, and the report shows it."""

from __future__ import annotations

from collections.abc import Sequence

MISSED, FALSE_ALARM = 5.0, 1.0


def metric(
    labels: Sequence[str | None],
    predictions: Sequence[str | None],
    probabilities: Sequence[Sequence[float] | None],
    names: Sequence[str],
) -> float:
    """Return what wrong predictions cost per text. A bad review that is missed costs as much as five false alarms.

    Args:
        labels: the true label of each text, or None if it has none.
        predictions: the predicted label of each text, or None if a logit was not a finite number.
        probabilities: for each text, those of all labels in the order of `names`, or None if the prediction is None.
        names: the names of the labels.
    """
    wrong = [label for label, prediction in zip(labels, predictions, strict=True) if label != prediction]
    return sum(MISSED if label == "bad" else FALSE_ALARM for label in wrong) / len(labels)
