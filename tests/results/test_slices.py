"""The worst slice: it is found, its p-value holds under the null, and texts are in the slices that they belong to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from runner.report.accuracy import accuracy_detail
from runner.report.quality import quality_sentence
from runner.report.view import groups
from runner.results.collect import collect
from runner.results.slices import LEAST_TEXTS, slices_of, worst_slice
from tests.results.synthetic import BASELINE, Job, write_sweep

TEXTS = [f"{'very ' * (number % 30)}good" for number in range(300)]
LABELS = ["ab"[number % 2] for number in range(300)]


def test_texts_are_sliced_by_label_length_and_column() -> None:
    found = slices_of(TEXTS, LABELS, {"source": ["web"] * 250 + ["mail"] * 50, "row": list(map(str, range(300)))})
    assert found["label: a"] == list(range(0, 300, 2))
    assert found["source: mail"] == list(range(250, 300))
    assert not any(name.startswith("row") for name in found)  # a single text says nothing
    thirds = [found[f"length: {third}"] for third in ("short", "medium", "long")]
    lengths = [np.mean([len(TEXTS[place]) for place in places]) for places in thirds]
    assert lengths == sorted(lengths)
    assert sum(map(len, thirds)) == 300


def test_a_text_with_several_labels_is_in_the_slice_of_each() -> None:
    found = slices_of(TEXTS, [frozenset("ab" if number < 40 else "b") for number in range(300)])
    assert found["label: a"] == list(range(40))
    assert "label: b" not in found  # all texts are no slice


def test_the_slice_with_the_loss_is_found() -> None:
    slices = slices_of(TEXTS, LABELS)
    right = np.ones(300, dtype=bool)
    spoiled = right.copy()
    spoiled[slices["length: long"][:30]] = False
    worst = worst_slice(slices, right.tolist(), spoiled.tolist())
    assert worst is not None
    assert worst.slice_worst == "length: long"
    assert worst.slice_accuracy_difference == pytest.approx(-30 / len(slices["length: long"]))
    assert worst.slice_p_value is not None
    assert worst.slice_p_value < 1e-6
    assert worst_slice({}, [True], [False]) is None


def test_a_variant_that_only_scatters_is_seldom_called_worse_on_a_slice() -> None:
    chance, slices, alarms = np.random.default_rng(0), slices_of(TEXTS, LABELS), 0
    for _ in range(400):
        before = chance.random(300) < 0.8
        after = np.where(chance.random(300) < 0.15, chance.random(300) < 0.8, before)
        worst = worst_slice(slices, before.tolist(), after.tolist())
        assert worst is not None
        alarms += (worst.slice_p_value or 1.0) < 0.05
    assert alarms / 400 <= 0.05


def test_the_report_shows_it(tmp_path: Path) -> None:
    texts = tuple(f"{'very ' * (number % 3)}text {number}" for number in range(4 * LEAST_TEXTS))
    tables = collect(write_sweep(tmp_path, [BASELINE, Job("onnx-int8", 0.05, flips=2.5)], texts=texts))
    (group,) = groups(tables)
    detail = accuracy_detail(group, ["negative", "neutral", "positive"])
    assert detail is not None
    place = [column.title for column in detail.columns].index("Worst slice")
    notes = {label: cells[place].note for label, _, cells in detail.rows}
    assert any(note.startswith(("label: ", "length: ")) for note in notes.values())


def test_a_variant_that_is_equivalent_and_worse_on_a_slice_is_named() -> None:
    row = {
        "quality_verdict": "equivalent",
        "quality_measure": "accuracy",
        "quality_margin": 0.01,
        "quality_texts": 9000,
        "examples": 9000,
    }
    row |= {
        "negative_flips_fraction": 0.001,
        "positive_flips_fraction": 0.001,
        "quality_detectable": 0.004,
        "slice_worst": "length: long",
        "slice_accuracy_difference": -0.12,
    }
    row |= {"slice_p_value_holm": 0.001, "model": "minilm-l6", "technique": "onnx-int8"}
    assert "worse on a slice: minilm-l6 · onnx-int8 (length: long, −12.0 points)." in quality_sentence([row])
    assert "slice" not in quality_sentence([row | {"slice_p_value_holm": 0.2}])
