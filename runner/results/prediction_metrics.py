"""What a job's predictions are worth, by themselves and against its baseline's: columns of the summary."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from runner.config.task_kinds import EMBEDDING, MULTI_LABEL, TOKENS
from runner.results.accuracy import (
    Difference,
    accuracy,
    brier_score,
    calibration_error,
    changed_predictions,
    flips,
    kl_divergence,
    macro_f1,
    mcnemar,
    micro_f1,
    paired_differences,
    recall_changes,
)
from runner.results.cores import cores
from runner.results.predictions import Evaluation, Name, comparable_vectors
from runner.results.similarity import cosines, mean_interval, neighbour_agreement
from runner.results.statistics import wilson_interval
from runner.results.token_metrics import TextDifference, difference, entity_f1, per_text, share_interval, tells_entities


def prediction_columns(pairs: Sequence[tuple[Evaluation | None, Evaluation | None]]) -> list[dict[str, Any]]:
    """Return the columns on accuracy, changed predictions and neighbours that are known of each job.

    Jobs that differ in their threads predict alike, so most pairs come more than once. Nearly all the time goes into
    the draws of the bootstrap, during which numpy lets other threads run.

    Args:
        pairs: the predictions of each job and of its baseline, the same object for the baseline itself; None if there
            are none.
    """
    keys = [(own and own.digest, baseline and baseline.digest, own is baseline) for own, baseline in pairs]
    different = dict(zip(keys, pairs, strict=True))
    with ThreadPoolExecutor(cores()) as pool:
        found = dict(zip(different, pool.map(lambda pair: _evaluated(*pair), different.values()), strict=True))
    return [found[key] | _of_itself(own) for key, (own, _) in zip(keys, pairs, strict=True)]


def _evaluated(own: Evaluation | None, baseline: Evaluation | None) -> dict[str, Any]:
    if own is None or not own.texts:
        return {}
    labels = [label for label in own.labels if label is not None]
    labelled = own.trained and len(labels) == len(own.texts)
    columns: dict[str, Any] = {"examples": len(own.texts)}
    if labelled:
        columns |= _own_figures(labels, own)
    if baseline is None or baseline.texts != own.texts:
        return columns
    if own.kind == EMBEDDING:
        return columns | _similarity(baseline, own)
    changed = changed_predictions(baseline.predictions, own.predictions)
    columns |= {"changed_predictions": changed, "changed_fraction": changed / len(own.texts)}
    comparable = (
        own.trained
        and baseline.trained
        and (own.task_names, own.kind) == (baseline.task_names, baseline.kind)
        and own is not baseline
    )
    if comparable:
        columns |= _agreement(changed, baseline, own) | _divergence(baseline, own)
    if comparable and labelled:
        columns |= _against_baseline(labels, baseline, own)
        columns |= (_differences_by_text if own.kind == TOKENS else _differences)(labels, baseline, own)
    return columns


def _own_figures(labels: list[Name], own: Evaluation) -> dict[str, Any]:
    low, high = _interval(labels, own)
    figures = {
        "accuracy": accuracy(labels, own.predictions),
        "accuracy_low": low,
        "accuracy_high": high,
        "macro_f1": macro_f1(labels, own.predictions),
    }
    if own.kind == MULTI_LABEL:
        return figures | {"micro_f1": micro_f1(labels, own.predictions)}
    if own.kind == TOKENS and tells_entities(own.names):
        figures |= {"entity_f1": entity_f1(labels, own.predictions, own.of_text).value}
    probabilities = _all_known(own.probabilities)
    if probabilities is not None:
        confidences = probabilities.max(axis=1)
        figures |= {
            "calibration_error": calibration_error(labels, own.predictions, confidences),
            "brier_score": brier_score([own.names.index(str(label)) for label in labels], probabilities),
        }
    return figures


def _against_baseline(labels: list[Name], baseline: Evaluation, own: Evaluation) -> dict[str, Any]:
    before, after = baseline.predictions, own.predictions
    negative, positive = flips(labels, before, after)
    changes = recall_changes(labels, before, after, own.task_names)
    known = [(change, name) for change, name in zip(changes, own.task_names, strict=True) if change is not None]
    worst, worst_label = min(known, default=(None, None))
    return {
        "negative_flips_fraction": negative,
        "positive_flips_fraction": positive,
        "recall_changes": changes,
        "worst_recall_label": worst_label,
        "worst_recall_change": worst,
    }


def _differences(labels: list[Name], baseline: Evaluation, own: Evaluation) -> dict[str, Any]:
    accuracies, f1s = paired_differences(labels, baseline.predictions, own.predictions)
    p_value = mcnemar(*(_right(labels, side.predictions) for side in (baseline, own)))[3]
    differences = _named_difference("accuracy", accuracies) | _named_difference("macro_f1", f1s)
    return differences | {"accuracy_p_value": p_value}


def _differences_by_text(labels: list[Name], baseline: Evaluation, own: Evaluation) -> dict[str, Any]:
    sides, of_text = (baseline.predictions, own.predictions), own.of_text
    accuracies = difference(*(per_text(_right(labels, side), of_text) for side in sides))
    differences = _named_difference("accuracy", accuracies) | {"accuracy_p_value": accuracies.p_value}
    if not tells_entities(own.names):
        return differences
    f1s = difference(*(entity_f1(labels, side, of_text) for side in sides))
    return differences | _named_difference("entity_f1", f1s)


def _named_difference(name: str, found: Difference | TextDifference) -> dict[str, Any]:
    ends = {f"{name}_difference_low": found.low, f"{name}_difference_high": found.high}
    return {f"{name}_difference": found.value} | ends


def _right(labels: Sequence[Name | None], predictions: Sequence[Name | None]) -> list[bool]:
    return [a == b for a, b in zip(labels, predictions, strict=True)]


def _interval(labels: Sequence[Name | None], own: Evaluation) -> tuple[float, float]:
    """Return the interval of the share of examples that are predicted so."""
    right = _right(labels, own.predictions)
    return (
        share_interval(per_text(right, own.of_text)) if own.kind == TOKENS else wilson_interval(sum(right), len(right))
    )


def _similarity(baseline: Evaluation, own: Evaluation) -> dict[str, Any]:
    if own is baseline or not own.trained or not comparable_vectors(baseline, own):
        return {}
    found = cosines(baseline.vectors, own.vectors)
    mean, low, high = mean_interval(found)
    return {
        "cosine_mean": mean,
        "cosine_low": low,
        "cosine_high": high,
        "cosine_least": min(found),
        "neighbour_agreement": neighbour_agreement(baseline.vectors, own.vectors),
    }


def _agreement(changed: int, baseline: Evaluation, own: Evaluation) -> dict[str, Any]:
    low, high = _interval(baseline.predictions, own)
    return {"agreement": 1 - changed / len(own.texts), "agreement_low": low, "agreement_high": high}


def _divergence(baseline: Evaluation, own: Evaluation) -> dict[str, Any]:
    before, after = _all_known(baseline.probabilities), _all_known(own.probabilities)
    if before is None or after is None or baseline.names != own.names:
        return {}
    mean, p99 = kl_divergence(before, after, each=own.kind == MULTI_LABEL)
    return {"kl_mean_nats": mean, "kl_p99_nats": p99}


def _of_itself(own: Evaluation | None) -> dict[str, Any]:
    """Return what was found out before: the user's own metrics, and how far neighbours in a batch matter."""
    if own is None or not own.texts:
        return {}
    names = ("examples", "changed_predictions", "logit_difference")
    return {"metrics": dict(own.metrics)} | {
        f"batch_{name}": own.batch_sensitivity[name] for name in names if name in own.batch_sensitivity
    }


def _all_known(probabilities: np.ndarray) -> np.ndarray | None:
    """Return the probabilities, None if any example has none: a mean over the others would flatter."""
    return None if np.isnan(probabilities).any() else probabilities
