"""What a job's predictions are worth, by themselves and against its baseline's: columns of the summary."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from runner.results.accuracy import (
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
from runner.tasks.kinds import EMBEDDING, MULTI_LABEL


def judged_columns(pairs: Sequence[tuple[Evaluation | None, Evaluation | None]]) -> list[dict[str, Any]]:
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
        found = dict(zip(different, pool.map(lambda pair: _judged(*pair), different.values()), strict=True))
    return [found[key] | _of_itself(own) for key, (own, _) in zip(keys, pairs, strict=True)]


def _judged(own: Evaluation | None, baseline: Evaluation | None) -> dict[str, Any]:
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
        and (own.names, own.kind) == (baseline.names, baseline.kind)
        and own is not baseline
    )
    if comparable:
        columns |= _agreement(changed, len(own.texts)) | _divergence(baseline, own)
    if comparable and labelled:
        columns |= _against_baseline(labels, baseline, own)
    return columns


def _own_figures(labels: list[Name], own: Evaluation) -> dict[str, Any]:
    share = accuracy(labels, own.predictions)
    low, high = wilson_interval(round(share * len(labels)), len(labels))
    figures = {
        "accuracy": share,
        "accuracy_low": low,
        "accuracy_high": high,
        "macro_f1": macro_f1(labels, own.predictions),
    }
    if own.kind == MULTI_LABEL:
        return figures | {"micro_f1": micro_f1(labels, own.predictions)}
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
    right = [[a == b for a, b in zip(labels, side, strict=True)] for side in (before, after)]
    accuracies, f1s = paired_differences(labels, before, after)
    negative, positive = flips(labels, before, after)
    changes = recall_changes(labels, before, after, own.names)
    known = [(change, name) for change, name in zip(changes, own.names, strict=True) if change is not None]
    worst, worst_label = min(known, default=(None, None))
    return {
        "accuracy_difference": accuracies.value,
        "accuracy_difference_low": accuracies.low,
        "accuracy_difference_high": accuracies.high,
        "accuracy_p_value": mcnemar(*right)[3],
        "macro_f1_difference": f1s.value,
        "macro_f1_difference_low": f1s.low,
        "macro_f1_difference_high": f1s.high,
        "negative_flips_fraction": negative,
        "positive_flips_fraction": positive,
        "recall_changes": changes,
        "worst_recall_label": worst_label,
        "worst_recall_change": worst,
    }


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


def _agreement(changed: int, examples: int) -> dict[str, Any]:
    low, high = wilson_interval(examples - changed, examples)
    return {"agreement": 1 - changed / examples, "agreement_low": low, "agreement_high": high}


def _divergence(baseline: Evaluation, own: Evaluation) -> dict[str, Any]:
    before, after = _all_known(baseline.probabilities), _all_known(own.probabilities)
    if before is None or after is None:
        return {}
    mean, p99 = kl_divergence(before, after, each=own.kind == MULTI_LABEL)
    return {"kl_mean_nats": mean, "kl_p99_nats": p99}


def _of_itself(own: Evaluation | None) -> dict[str, Any]:
    """Return what was found out before: the user's own metrics, and how far neighbours in a batch matter."""
    if own is None or not own.texts:
        return {}
    names = ("examples", "changed_predictions", "logit_difference")
    return {"metrics": dict(own.metrics)} | {
        f"batch_{name}": own.neighbours[name] for name in names if name in own.neighbours
    }


def _all_known(probabilities: np.ndarray) -> np.ndarray | None:
    """Return the probabilities, None if any example has none: a mean over the others would flatter."""
    return None if np.isnan(probabilities).any() else probabilities
