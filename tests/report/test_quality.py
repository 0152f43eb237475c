"""What is said about the quality of a variant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.report.markdown import render_markdown
from runner.report.quality import certificate
from runner.results.collect import collect
from runner.results.halves import scores_by_half
from runner.results.records.search import Rung, State
from runner.store.sweep_folder import SweepFolder
from runner.sweep.search.state import write_state
from tests.results.judged import INT8, write_pairs

TESTED = {"quality_measure": "accuracy", "quality_margin": 0.01, "quality_texts_needed": None}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"quality_verdict": "equivalent"}, "certified: loses less than 1 point of accuracy (95%)"),
        ({"quality_verdict": "better"}, "certified: loses less than 1 point of accuracy (95%)"),
        (
            {"quality_verdict": "undecided", "quality_texts_needed": 8_140, "quality_measure": "accuracy"},
            "not certified: 8,200 texts would decide",
        ),
        (
            {"quality_verdict": "undecided", "quality_texts_needed": 310, "quality_measure": "ndcg_at_10"},
            "not certified: 310 queries would decide",
        ),
        (
            {"quality_verdict": "worse", "quality_measure": "spearman", "spearman_difference": -0.023},
            "worse: loses 2.3 points of Spearman",
        ),
        ({"quality_verdict": None}, ""),
    ],
)
def test_a_card_says_whether_the_quality_is_certified(row: dict[str, Any], said: str) -> None:
    assert certificate(TESTED | row) == said


def test_what_a_search_has_chosen_is_told_on_the_other_half(tmp_path: Path) -> None:
    tables = collect(write_pairs(tmp_path))
    assert "A search chose" not in render_markdown(tables)
    write_state(SweepFolder(tmp_path), State(rungs=[Rung(3, ["torch-eager", "onnx-int8"], ["onnx-int8"])]))
    halves = scores_by_half(tables, 0)[INT8.key]
    page = render_markdown(tables)
    assert "A search chose" in page
    assert f"{halves.held_out:.3f}" in page
    assert "by speed, size and the Spearman on half of the texts" in page
