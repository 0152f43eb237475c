"""Whether predictions depend on their neighbours, with models whose dependence is known."""

from __future__ import annotations

import numpy as np
import pytest

from runner.trial.batch_sensitivity import Batch, compare_batchings

PAD = 7


def _batches(texts: list[list[int]], length: int) -> list[Batch]:
    """One text a call, padded to `length`."""
    made = []
    for text in texts:
        ids, mask = np.full((1, length), PAD), np.zeros((1, length), dtype=np.int64)
        ids[0, : len(text)], mask[0, : len(text)] = text, 1
        made.append((ids, mask))
    return made


def _sum_of_tokens(batch: Batch) -> np.ndarray:
    ids, mask = batch
    total = (ids * mask).sum(axis=1)
    return np.stack([total, 10 - total], axis=1).astype(np.float32)


def _scaled_by_the_batch(batch: Batch) -> np.ndarray:
    """As dynamic quantization: one scale for all that is in the batch."""
    exact = _sum_of_tokens(batch)
    step = np.abs(exact).max()
    rounded: np.ndarray = np.round(exact / step) * step
    return rounded


TEXTS = [[1, 2], [3], [1, 1, 1, 1, 2], [9, 8], [4, 2]] * 40


def _compare(model: object, length: int = 5) -> dict[str, float]:
    batches = _batches(TEXTS, length)
    logits = np.concatenate([model(batch) for batch in batches])  # type: ignore[operator]
    return compare_batchings(model, batches, logits, PAD)  # type: ignore[arg-type]


def test_a_model_that_looks_at_each_text_alone_depends_on_nothing() -> None:
    assert _compare(_sum_of_tokens) == {"examples": 128, "changed_predictions": 0, "logit_difference": 0}


def test_one_scale_for_a_batch_is_found() -> None:
    found = _compare(_scaled_by_the_batch)
    assert found["changed_predictions"] > 0
    assert found["logit_difference"] > 1


def test_padding_of_the_workload_itself_is_found() -> None:
    """Its own logits are one of the three ways."""
    found = _compare(lambda batch: _sum_of_tokens(batch) + (batch[0].shape[1] == 5))
    assert found["logit_difference"] == pytest.approx(1)


def test_texts_are_cut_and_padded_anew() -> None:
    seen: list[Batch] = []

    def watch(batch: Batch) -> np.ndarray:
        seen.append(batch)
        return _sum_of_tokens(batch)

    batches = _batches(TEXTS[:9], 12)
    compare_batchings(watch, batches, np.zeros((9, 2)), PAD)
    assert [ids.shape for ids, _ in seen] == [*((1, len(text)) for text in TEXTS[:9]), (8, 5), (1, 2)]
    assert seen[9][0][1].tolist() == [3, PAD, PAD, PAD, PAD]
    assert seen[9][1][1].tolist() == [1, 0, 0, 0, 0]


def test_what_is_not_a_number_has_no_difference() -> None:
    assert _compare(lambda batch: _sum_of_tokens(batch) * np.nan)["logit_difference"] is None


def test_of_several_labels_every_one_counts() -> None:
    """The largest logit stays the same, but the second falls below 0 where a text is alone."""

    def evaluate(batch: Batch) -> np.ndarray:
        return np.array([[2.0, 1.0 if len(batch[0]) > 1 else -1.0]] * len(batch[0]))

    batches = _batches(TEXTS[:8], 8)
    logits = np.concatenate([evaluate(batch) for batch in batches])
    assert compare_batchings(evaluate, batches, logits, PAD)["changed_predictions"] == 0
    assert compare_batchings(evaluate, batches, logits, PAD, "multi-label")["changed_predictions"] == 8
