"""Where int8 products may saturate, the reports say in whose, by how much predictions moved, and what to try."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from runner.recommend.decision_data import decision_data
from runner.report.markdown import render_markdown
from runner.report.terminal import print_summary
from runner.report.view import groups
from runner.results.collect import collect
from runner.results.saturation import saturation_sentence
from tests.results.synthetic import BASELINE, Job, edit, write_sweep

EIGHT = Job("onnx-int8", 0.03, flips=0.5, int8_weight_bits=8)
SEVEN = Job("onnx-int8-7bit", 0.04, int8_weight_bits=7)


def test_it_names_the_variant_how_far_it_moved_and_what_does_not_saturate(tmp_path: Path) -> None:
    tables = collect(write_sweep(tmp_path, [BASELINE, EIGHT, SEVEN]))
    (group,), (data,) = groups(tables), decision_data(tables)
    row = next(row for row in tables.jobs if row["technique"] == "onnx-int8")
    assert row["int8_may_saturate"]
    assert row["changed_fraction"] > 0
    assert group.saturation == (
        f"No VNNI on this CPU: int8 products may saturate in onnx-int8 ({100 * row['changed_fraction']:.1f}% of "
        f"predictions changed, accuracy {100 * row['accuracy_difference']:+.1f} points). "
        "These differences are to the baseline, and include all steps of a variant. Weights in 7 bits do not saturate: "
        "onnx-int8-7bit (0.0% of predictions changed, accuracy 0.0 points)."
    ).replace("accuracy -", "accuracy −")
    assert data.saturation == group.saturation
    text = io.StringIO()
    print_summary(tables, Console(file=text, width=200))
    assert "may saturate in onnx-int8 (" in " ".join(text.getvalue().split())
    assert "may saturate in onnx-int8 (" in render_markdown(tables)


def test_without_a_variant_in_seven_bits_one_is_suggested(tmp_path: Path) -> None:
    tables = collect(write_sweep(tmp_path, [BASELINE, EIGHT, replace(EIGHT, threads=2), replace(BASELINE, threads=2)]))
    assert all("try technique=onnx-int8-7bit" in group.saturation for group in groups(tables))
    (data,) = decision_data(tables)
    assert data.saturation.count("onnx-int8 (") == 1  # both numbers of threads predict alike


@pytest.mark.parametrize(
    "changes", [{"int8_weight_bits": 7}, {"int8_weight_bits": None}, {"box_instruction_sets": "avx2 avx_vnni"}]
)
def test_it_is_silent_where_nothing_saturates_or_nothing_is_known(changes: dict[str, object], tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path, [BASELINE, EIGHT])
    for path in sweep.glob("trials/*/trial.json"):
        edit(path, **changes)
    (group,) = groups(collect(sweep))
    assert group.saturation == ""


def test_random_weights_have_no_predictions_to_move(tmp_path: Path) -> None:
    (group,) = groups(collect(write_sweep(tmp_path, [BASELINE, EIGHT], weights="random")))
    assert "may saturate in onnx-int8. Weights" in group.saturation


def test_many_are_counted() -> None:
    row = {"int8_may_saturate": True, "int8_weight_bits": 8, "weights": "random"}
    assert "in a, b, c and 2 more. " in saturation_sentence((name, row) for name in "abcde")
