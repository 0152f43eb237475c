"""Metrics that the user writes: functions of labels and predictions, called when a sweep is collected.

    plugins/metrics/NAME.py:  def metric(labels, predictions, probabilities, names) -> float

See runner/store/plugins.py for where else it may come from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from runner.errors import UserError, did_you_mean
from runner.results.predictions import Evaluation, Name
from runner.store import plugins

# labels and predictions: names, one for each example (in a multi-label task a frozenset of names); None where there is
# no label, or where a logit was not a finite number.
# probabilities: one for each label, in the order of names; None where the prediction is. names: the labels' names.
Metric = Callable[
    [Sequence[Name | None], Sequence[Name | None], Sequence[Sequence[float] | None], Sequence[str]], float | None
]


def metric_of(name: str) -> Metric:
    """Return the function of a metric.

    Raises:
        UserError: if there is none of that name, it cannot be imported, or has no such function.
    """
    plugin = plugins.find("metrics", name)
    if plugin is None:
        raise UserError(f"metrics: there is no metric '{name}'. {did_you_mean(name, plugins.names('metrics'))}")
    metric: Metric | None = getattr(plugin.load(), "metric", None)
    if not callable(metric):
        raise UserError(f"metrics: {plugin.origin} has no function 'metric'; see runner/results/metrics.py.")
    return metric


def with_metrics(evaluations: Sequence[Evaluation], names: Sequence[str]) -> tuple[list[Evaluation], list[str]]:
    """Return the evaluations with the values of these metrics, and a warning for each that could not be computed.

    A metric that is not on this machine, or that raises an error, is null; the other results are still read. Models
    with random weights have no metrics, since they have no accuracy.
    """
    if not names:
        return list(evaluations), []
    known, warnings = dict[str, Metric](), dict[str, None]()
    for name in names:
        try:
            known[name] = metric_of(name)
        except UserError as error:
            warnings[f"metric '{name}' is null: {error}"] = None
    measured = []
    for evaluation in evaluations:
        values: dict[str, float | None] = dict.fromkeys(names)
        labels, predictions = evaluation.labels, evaluation.predictions
        rows = zip(predictions, evaluation.probabilities.tolist(), strict=True)
        probabilities = [None if prediction is None else row for prediction, row in rows]
        for name, metric in known.items() if evaluation.trained else ():
            try:
                values[name] = _finite(metric(labels, predictions, probabilities, evaluation.names))
            except Exception as error:  # the user's own code may raise anything
                warnings[f"metric '{name}' is null for {evaluation.jobs[0]}: {type(error).__name__}: {error}"] = None
        measured.append(replace(evaluation, metrics=values))
    return measured, list(warnings)


def code_of(names: Sequence[str]) -> dict[str, str | None]:
    """Return the code of each metric, written as in the column `plugins`; None if it is not on this machine."""
    code = {name: plugins.find("metrics", name) for name in names}
    return {name: plugins.label("metrics", name, plugin.sha256()) if plugin else None for name, plugin in code.items()}


def _finite(value: float | None) -> float | None:
    if value is not None and not math.isfinite(value := float(value)):
        raise ValueError(f"it returned {value}")
    return value
