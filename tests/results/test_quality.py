"""The verdicts on the quality in a sweep's summary: their families, their margin, and where there is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runner.results.collect import collect
from runner.results.non_inferiority import PairedMeans, PairedShares
from runner.results.quality import paired_of, qualities
from runner.results.statistics import holm
from tests.results.synthetic import BASELINE, DEMO, Job, edit, write_sweep

TEXTS = [f"text {number}" for number in range(800)]
QUALITY = ("quality_margin", "quality_p_value", "quality_p_value_holm", "quality_verdict", "quality_texts_needed")
BASIS = ("quality_measure", "quality_texts", "quality_deviation", "quality_detectable")


def _row(job: str, losses: int, gains: int, texts: int = 800) -> dict[str, Any]:
    """Return the row of a variant with so many losses and gains."""
    shares = PairedShares(texts, losses, gains)
    flips = {"negative_flips_fraction": losses / texts, "positive_flips_fraction": gains / texts}
    basis = {"quality_measure": "accuracy", "quality_texts": texts, "quality_deviation": shares.deviation}
    return {"job": job, "examples": texts, "accuracy_difference": shares.value, **flips, **basis}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    tables = collect(write_sweep(tmp_path_factory.mktemp("sweep"), texts=TEXTS))
    assert tables.manifest["quality"] == {"margin": 1.0}
    return {row["technique"]: row for row in tables.jobs}


def test_every_variant_has_a_verdict_and_the_baseline_has_none(rows: dict[str, dict[str, Any]]) -> None:
    verdicts = {technique: row["quality_verdict"] for technique, row in rows.items()}
    assert verdicts["torchscript"] == "equivalent", "it predicts the same"
    assert verdicts["heads-50"] == verdicts["onnx-int8"] == "worse"
    assert [rows["torch-eager"][name] for name in (*BASIS, *QUALITY)] == [None] * 9
    assert {row["quality_margin"] for row in rows.values()} == {None, 0.01}


def test_both_p_values_are_adjusted_across_the_variants(rows: dict[str, dict[str, Any]]) -> None:
    variants = [row for technique, row in rows.items() if technique != "torch-eager"]
    for name in ("accuracy_p_value", "quality_p_value"):
        adjusted = holm([row[name] for row in variants])
        assert [row[f"{name}_holm"] for row in variants] == pytest.approx(adjusted)
        assert len(adjusted) == len(DEMO) - 1


def test_a_row_tells_the_difference_that_was_tested(rows: dict[str, dict[str, Any]]) -> None:
    row = rows["onnx-int8"]
    paired = paired_of(row)
    assert isinstance(paired, PairedShares)
    assert paired.value == pytest.approx(row["accuracy_difference"])
    assert paired.interval == pytest.approx((row["accuracy_difference_low"], row["accuracy_difference_high"]))
    assert (paired.p_value, paired.deviation) == pytest.approx((row["accuracy_p_value"], row["quality_deviation"]))
    other = row | {"quality_measure": "ndcg", "ndcg_difference": -0.02, "quality_texts": 50, "quality_deviation": 0.1}
    assert paired_of(other) == PairedMeans(-0.02, 0.1, 50)
    assert paired_of(rows["torch-eager"]) is None


def test_the_margin_is_the_plan_s(tmp_path: Path) -> None:
    write_sweep(tmp_path, [BASELINE, Job("onnx", 0.08, flips=0.01)], texts=TEXTS)
    assert collect(tmp_path).jobs[1]["quality_verdict"] == "undecided"
    edit(tmp_path / "plan.json", quality={"margin": 3.0})
    row = collect(tmp_path).jobs[1]
    assert (row["quality_margin"], row["quality_verdict"]) == (0.03, "equivalent")


@pytest.mark.parametrize("options", [{"labels": []}, {"weights": "random"}])
def test_without_labels_or_trained_weights_there_is_no_verdict(tmp_path: Path, options: dict[str, Any]) -> None:
    for row in collect(write_sweep(tmp_path, **options)).jobs:
        assert [row[name] for name in (*BASIS, *QUALITY, "accuracy_p_value_holm")] == [None] * 10


def test_a_single_tagged_text_has_a_difference_and_no_verdict(tmp_path: Path) -> None:
    write_sweep(tmp_path, [BASELINE, Job("onnx", 0.08)], texts=["one two three"])
    for path in (tmp_path / "predictions").iterdir():
        content = json.loads(path.read_text())
        logits = [[4.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 4.0 * (BASELINE.key in content["jobs"])]]
        words: dict[str, Any] = {"kind": "tokens", "words": [["one", "two", "three"]], "label": [[0, 1, 2]]}
        path.write_text(json.dumps(content | words | {"logits": logits}))
    row = collect(tmp_path).jobs[1]
    assert row["accuracy_difference"] == pytest.approx(-1 / 3)
    assert (row["accuracy_difference_low"], row["accuracy_p_value"], row["quality_verdict"]) == (None, None, None)


def test_more_variants_make_a_certificate_harder_and_need_more_texts() -> None:
    few = qualities([_row("a", 1, 1), _row("b", 12, 10)], 0.01)
    many = qualities([_row("a", 1, 1), *(_row(f"b{number}", 12, 10) for number in range(30))], 0.01)
    assert (few["a"].quality_verdict, many["a"].quality_verdict) == ("equivalent", "undecided")
    needed = few["b"].quality_texts_needed, many["b0"].quality_texts_needed
    assert None not in needed
    assert 800 < (needed[0] or 0) < (needed[1] or 0)


def test_certified_variants_are_not_counted_among_those_that_are_undecided() -> None:
    alone, beside = (
        qualities([_row("b", 12, 10), *(_row(f"a{number}", 0, 0) for number in range(certified))], 0.01)
        for certified in (0, 5)
    )
    assert {quality.quality_verdict for quality in beside.values()} == {"equivalent", "undecided"}
    assert alone["b"].quality_texts_needed == beside["b"].quality_texts_needed


def test_a_loss_that_is_shown_and_small_is_equivalent() -> None:
    (quality,) = qualities([_row("a", 20, 1, texts=10_000)], 0.01).values()
    assert quality.quality_verdict == "equivalent"
