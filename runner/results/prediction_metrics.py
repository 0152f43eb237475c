"""How good the predictions of a job are, by themselves and compared with its baseline's."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from runner.config.task_kinds import EMBEDDING, JUDGED, MULTI_LABEL, SIMILARITY, TOKENS
from runner.results.accuracy import (
    accuracy,
    brier_score,
    calibration_error,
    changed_predictions,
    flips,
    kl_divergence,
    macro_f1,
    micro_f1,
    recall_changes,
)
from runner.results.accuracy_difference import macro_f1_difference
from runner.results.cores import cores
from runner.results.judged_metrics import add_correlation, add_ranking
from runner.results.non_inferiority import Paired, paired_shares
from runner.results.predictions import Evaluation, Name, comparable_vectors
from runner.results.quality import set_difference, set_quality_basis
from runner.results.records.summary import PredictionFigures
from runner.results.similarity import cosines, mean_interval, neighbour_agreement
from runner.results.slices import slices_of, worst_slice
from runner.results.statistics import wilson_interval
from runner.results.token_metrics import difference, entity_f1, per_text, share_interval, tells_entities


def prediction_figures(pairs: Sequence[tuple[Evaluation | None, Evaluation | None]]) -> list[PredictionFigures]:
    """Return what is known about the predictions of each job: accuracy, changes and batch sensitivity.

    Jobs that differ only in their threads make the same predictions, so most pairs occur more than once. Nearly all the
    time goes into the resamples of the bootstrap, during which numpy lets other threads run.

    Args:
        pairs: the predictions of each job and of its baseline, the same object for the baseline itself; None if there
            are none.
    """
    keys = [
        (evaluation and evaluation.digest, baseline and baseline.digest, evaluation is baseline)
        for evaluation, baseline in pairs
    ]
    different = dict(zip(keys, pairs, strict=True))
    with ThreadPoolExecutor(cores()) as pool:
        compared = dict(zip(different, pool.map(lambda pair: _compared(*pair), different.values()), strict=True))
    return [_with_own(compared[key], evaluation) for key, (evaluation, _) in zip(keys, pairs, strict=True)]


def _with_own(figures: PredictionFigures, evaluation: Evaluation | None) -> PredictionFigures:
    """Return the figures with those of the evaluation itself: the user's own metrics and the batch sensitivity."""
    if evaluation is None or not evaluation.texts:
        return figures
    sensitivity = evaluation.batch_sensitivity
    return replace(
        figures,
        metrics=dict(evaluation.metrics),
        batch_examples=sensitivity.get("examples"),
        batch_changed_predictions=sensitivity.get("changed_predictions"),
        batch_logit_difference=sensitivity.get("logit_difference"),
    )


def _compared(evaluation: Evaluation | None, baseline: Evaluation | None) -> PredictionFigures:
    figures = PredictionFigures()
    if evaluation is None or not evaluation.texts:
        return figures
    labels = [label for label in evaluation.labels if label is not None]
    labelled = evaluation.trained and len(labels) == len(evaluation.texts)
    figures.examples = len(evaluation.texts)
    if labelled:
        _add_accuracy(figures, labels, evaluation)
    if evaluation.kind in JUDGED:
        if evaluation.trained:
            add = add_correlation if evaluation.kind == SIMILARITY else add_ranking
            add(figures, evaluation, _judged_alike(evaluation, baseline))
        return figures
    if baseline is None or baseline.texts != evaluation.texts:
        return figures
    if evaluation.kind == EMBEDDING:
        _add_similarity(figures, baseline, evaluation)
        return figures
    changed = changed_predictions(baseline.predictions, evaluation.predictions)
    figures.changed_predictions, figures.changed_fraction = changed, changed / len(evaluation.texts)
    comparable = (
        evaluation.trained
        and baseline.trained
        and (evaluation.task_names, evaluation.kind) == (baseline.task_names, baseline.kind)
        and evaluation is not baseline
    )
    if comparable:
        figures.agreement = 1 - changed / len(evaluation.texts)
        figures.agreement_low, figures.agreement_high = _interval(baseline.predictions, evaluation)
        _add_divergence(figures, baseline, evaluation)
    if comparable and labelled:
        _add_flips_and_recall(figures, labels, baseline, evaluation)
        (_add_differences_by_text if evaluation.kind == TOKENS else _add_differences)(
            figures, labels, baseline, evaluation
        )
    return figures


def _judged_alike(evaluation: Evaluation, baseline: Evaluation | None) -> Evaluation | None:
    """Return the baseline if it was evaluated with trained weights on the same examples, and is not the job itself."""
    if baseline is None or baseline is evaluation or not baseline.trained or baseline.kind != evaluation.kind:
        return None
    return baseline if baseline.texts == evaluation.texts else None


def _add_accuracy(figures: PredictionFigures, labels: list[Name], evaluation: Evaluation) -> None:
    figures.accuracy = accuracy(labels, evaluation.predictions)
    figures.accuracy_low, figures.accuracy_high = _interval(labels, evaluation)
    figures.macro_f1 = macro_f1(labels, evaluation.predictions)
    if evaluation.kind == MULTI_LABEL:
        figures.micro_f1 = micro_f1(labels, evaluation.predictions)
        return
    if evaluation.kind == TOKENS and tells_entities(evaluation.names):
        figures.entity_f1 = entity_f1(labels, evaluation.predictions, evaluation.of_text).value
    probabilities = _all_known(evaluation.probabilities)
    if probabilities is not None:
        figures.calibration_error = calibration_error(labels, evaluation.predictions, probabilities.max(axis=1))
        figures.brier_score = brier_score([evaluation.names.index(str(label)) for label in labels], probabilities)


def _add_flips_and_recall(
    figures: PredictionFigures, labels: list[Name], baseline: Evaluation, evaluation: Evaluation
) -> None:
    before, after = baseline.predictions, evaluation.predictions
    figures.negative_flips_fraction, figures.positive_flips_fraction = flips(labels, before, after)
    changes = recall_changes(labels, before, after, evaluation.task_names)
    known = [(change, name) for change, name in zip(changes, evaluation.task_names, strict=True) if change is not None]
    figures.recall_changes = changes
    figures.worst_recall_change, figures.worst_recall_label = min(known, default=(None, None))


def _add_differences(
    figures: PredictionFigures, labels: list[Name], baseline: Evaluation, evaluation: Evaluation
) -> None:
    right = [_right(labels, side.predictions) for side in (baseline, evaluation)]
    _add_accuracy_difference(figures, paired_shares(*right))
    worst = worst_slice(slices_of(evaluation.texts, labels, evaluation.slices), *right)
    if worst is not None:
        for name, value in vars(worst).items():
            setattr(figures, name, value)
    f1s = macro_f1_difference(labels, baseline.predictions, evaluation.predictions)
    figures.macro_f1_difference = f1s.value
    figures.macro_f1_difference_low, figures.macro_f1_difference_high = f1s.low, f1s.high


def _add_differences_by_text(
    figures: PredictionFigures, labels: list[Name], baseline: Evaluation, evaluation: Evaluation
) -> None:
    sides, of_text = (baseline.predictions, evaluation.predictions), evaluation.of_text
    before, after = (per_text(_right(labels, side), of_text) for side in sides)
    accuracies = difference(before, after)
    if accuracies is None:
        figures.accuracy_difference = after.value - before.value
        return
    _add_accuracy_difference(figures, accuracies)
    if not tells_entities(evaluation.names):
        return
    f1s = difference(*(entity_f1(labels, side, of_text) for side in sides))
    if f1s is not None:
        figures.entity_f1_difference = f1s.value
        figures.entity_f1_difference_low, figures.entity_f1_difference_high = f1s.interval


def _add_accuracy_difference(figures: PredictionFigures, accuracies: Paired) -> None:
    set_difference(figures, "accuracy", accuracies)
    set_quality_basis(figures, "accuracy", accuracies)
    figures.accuracy_p_value = accuracies.p_value


def _add_similarity(figures: PredictionFigures, baseline: Evaluation, evaluation: Evaluation) -> None:
    if evaluation is not baseline and evaluation.trained and comparable_vectors(baseline, evaluation):
        each = cosines(baseline.vectors, evaluation.vectors)
        figures.cosine_mean, figures.cosine_low, figures.cosine_high = mean_interval(each)
        figures.cosine_least = min(each)
        figures.neighbour_agreement = neighbour_agreement(baseline.vectors, evaluation.vectors)


def _add_divergence(figures: PredictionFigures, baseline: Evaluation, evaluation: Evaluation) -> None:
    before, after = _all_known(baseline.probabilities), _all_known(evaluation.probabilities)
    if before is not None and after is not None and baseline.names == evaluation.names:
        figures.kl_mean_nats, figures.kl_p99_nats = kl_divergence(before, after, each=evaluation.kind == MULTI_LABEL)


def _right(labels: Sequence[Name | None], predictions: Sequence[Name | None]) -> list[bool]:
    return [a == b for a, b in zip(labels, predictions, strict=True)]


def _interval(labels: Sequence[Name | None], evaluation: Evaluation) -> tuple[float, float]:
    """Return the 95% interval of the share of examples whose prediction equals the given label."""
    right = _right(labels, evaluation.predictions)
    return (
        share_interval(per_text(right, evaluation.of_text))
        if evaluation.kind == TOKENS
        else wilson_interval(sum(right), len(right))
    )


def _all_known(probabilities: np.ndarray) -> np.ndarray | None:
    """Return the probabilities; None if an example has none, since a mean over the others would be too good."""
    return None if np.isnan(probabilities).any() else probabilities
