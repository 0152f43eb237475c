"""Metrics of the user's own: a function of labels and predictions, called when a sweep is collected.

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

# labels and predictions: by name, one per example (of a multi-label task, a frozenset of names); None where there is no
# label, or a logit was not a finite number.
# probabilities: of every label, in the order of names, None with the prediction. names: of the labels.
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
    found: Metric | None = getattr(plugin.load(), "metric", None)
    if not callable(found):
        raise UserError(f"metrics: {plugin.origin} has no function 'metric'; see runner/results/metrics.py.")
    return found


def with_metrics(evaluations: Sequence[Evaluation], names: Sequence[str]) -> tuple[list[Evaluation], list[str]]:
    """Return the evaluations with the values of these metrics, and a line for each that could not be had.

    A metric that is not on this machine, or that raises, is null: the other results are read nevertheless. Of random
    weights there is none, as there is no accuracy.
    """
    if not names:
        return list(evaluations), []
    known, warnings = dict[str, Metric](), dict[str, None]()
    for name in names:
        try:
            known[name] = metric_of(name)
        except UserError as error:
            warnings[f"metric '{name}' is null: {error}"] = None
    found = []
    for one in evaluations:
        values: dict[str, float | None] = dict.fromkeys(names)
        rows = zip(one.predictions, one.probabilities.tolist(), strict=True)
        probabilities = [None if prediction is None else row for prediction, row in rows]
        for name, metric in known.items() if one.trained else ():
            try:
                values[name] = _finite(metric(one.labels, one.predictions, probabilities, one.names))
            except Exception as error:  # the user's own code may raise anything
                warnings[f"metric '{name}' is null for {one.jobs[0]}: {type(error).__name__}: {error}"] = None
        found.append(replace(one, metrics=values))
    return found, list(warnings)


def code_of(names: Sequence[str]) -> dict[str, str | None]:
    """Return for each metric which code it is, as the column `plugins` says it; None where it is not here."""
    found = {name: plugins.find("metrics", name) for name in names}
    return {name: plugins.label("metrics", name, one.sha256()) if one else None for name, one in found.items()}


def _finite(value: float | None) -> float | None:
    if value is not None and not math.isfinite(value := float(value)):
        raise ValueError(f"it returned {value}")
    return value
