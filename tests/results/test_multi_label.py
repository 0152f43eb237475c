"""Figures of texts with several labels, by worked examples, and as the tables and the report show them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from runner.report.examples import prediction_groups
from runner.report.markdown import render_markdown
from runner.results.accuracy import (
    accuracy,
    flips,
    kl_divergence,
    macro_f1,
    micro_f1,
    recall_changes,
    sigmoid,
)
from runner.results.accuracy_difference import macro_f1_difference
from runner.results.collect import collect
from tests.results.synthetic import BASELINE, Job, write_sweep

NAMES = ["negative", "neutral", "positive"]
INT8 = Job("onnx-int8", 0.04, flips=0.5)
LABELS = [frozenset("ab"), frozenset("b"), frozenset(), frozenset("abc")]
BEFORE = [frozenset("ab"), frozenset("a"), frozenset(), frozenset("ab")]
AFTER = [frozenset("a"), frozenset("b"), frozenset("c"), None]


def test_figures_by_a_worked_example() -> None:
    """As scikit-learn's accuracy_score and f1_score define them for indicator matrices."""
    assert accuracy(LABELS, BEFORE) == 0.5
    assert macro_f1(LABELS, BEFORE) == pytest.approx((4 / 5 + 4 / 5 + 0) / 3)
    assert micro_f1(LABELS, BEFORE) == pytest.approx(2 * 4 / (2 * 4 + 1 + 2))
    assert flips(LABELS, BEFORE, AFTER) == (0.5, 0.25)
    assert recall_changes(LABELS, BEFORE, AFTER, ["a", "b", "c", "d"]) == [-0.5, pytest.approx(-1 / 3), 0, None]
    assert (macro_f1([frozenset()], [frozenset()]), micro_f1([frozenset()], [None])) == (0, 0)


def test_of_one_label_each_micro_f1_is_the_accuracy() -> None:
    labels, predictions = ["a", "b", "b"], ["a", "a", "b"]
    assert micro_f1(labels, predictions) == accuracy(labels, predictions)


def test_the_difference_of_f1_has_an_interval() -> None:
    f1 = macro_f1_difference(LABELS * 25, BEFORE * 25, AFTER * 25)
    assert f1.value == pytest.approx(macro_f1(LABELS, AFTER) - macro_f1(LABELS, BEFORE))
    assert f1.low < f1.value < f1.high
    assert macro_f1_difference(LABELS[:1], AFTER[:1], BEFORE[:1]).value == pytest.approx(0.5)


def test_the_divergence_is_that_of_every_label_by_itself() -> None:
    p, q = np.array([[0.9, 0.2]]), np.array([[0.6, 0.2]])
    assert kl_divergence(p, q, each=True)[0] == pytest.approx(stats.entropy([0.9, 0.1], [0.6, 0.4]))


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_sweep(tmp_path_factory.mktemp("sweep"), [BASELINE, INT8])
    for path in (folder / "predictions").iterdir():
        content = json.loads(path.read_text())
        labels = [[number for number, one in enumerate(row) if one > 0.4] for row in _first(folder)["logits"]]
        path.write_text(json.dumps(content | {"kind": "multi-label", "label": labels}))
    return folder


def _first(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "predictions" / f"{BASELINE.key}.json").read_text())
    return found


def test_tables_hold_exact_matches(sweep: Path) -> None:
    tables = collect(sweep)
    baseline, row = tables.summary.to_pylist()
    own = [p for p in tables.predictions.read().to_pylist() if p["job"] == INT8.key]
    assert tables.manifest["kinds"] == {"tweets": "multi-label"}
    assert row["accuracy"] == pytest.approx(np.mean([p["label"] == p["prediction"] for p in own]))
    assert row["changed_predictions"] == sum(p["prediction"] != p["baseline_prediction"] for p in own)
    assert 0 < row["macro_f1"] < 1 > row["micro_f1"] > row["accuracy"]
    assert row["accuracy_difference"] == pytest.approx(row["accuracy"] - baseline["accuracy"])
    assert row["positive_flips_fraction"] - row["negative_flips_fraction"] == pytest.approx(row["accuracy_difference"])
    assert (row["quality_measure"], row["quality_texts"]) == ("accuracy", len(own)), "exactly the text's labels, or not"
    assert row["quality_verdict"] == "undecided"
    assert row["quality_texts_needed"] > len(own)
    assert (row["brier_score"], row["calibration_error"]) == (None, None)
    assert row["kl_mean_nats"] > 0
    first, logits = own[0], _first(sweep)["logits"][0]
    assert (
        first["baseline_prediction"] == " + ".join(n for n, x in zip(NAMES, logits, strict=True) if x > 0) or "(none)"
    )
    assert all(0 <= p["total_variation"] <= 1 for p in own)
    assert own[0]["probability"] == pytest.approx(np.prod([max(p, 1 - p) for p in first["probabilities"]]))
    assert max(sum(p["probabilities"]) for p in own) > 1


def test_the_report_shows_them_without_a_confusion_matrix(sweep: Path) -> None:
    tables = collect(sweep)
    (prediction_group,), _ = prediction_groups(tables)
    assert all(evaluated.matrix == [] for evaluated in prediction_group.evaluated)
    page = render_markdown(tables)
    assert "Micro-F1" in page
    assert "negative + " in page.replace("\\", "")


def test_probabilities_of_large_logits_are_finite() -> None:
    assert sigmoid(np.array([[-1000.0, 0.0, 1000.0]])).tolist() == [[0, 0.5, 1]]
