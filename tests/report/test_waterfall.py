"""The waterfall: what each step added, in tables and in a chart; and accuracy in detail."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from plotly.graph_objects import Figure

from runner.report.accuracy import accuracy_detail
from runner.report.view import groups
from runner.report.waterfall import APART, waterfall_chart, waterfalls
from runner.report.write import write_report
from runner.results.collect import collect
from runner.results.tables import Tables
from tests.results.synthetic import DEMO, Job, edit, write_sweep

EAGER, ONNX, INT8 = DEMO[:3]
SMALL = Job("onnx-int8", 0.02, "minilm-l3", disk_bytes=12_000_000, rss_bytes=200_000_000)


def _sweep(folder: Path, jobs: list[Job], chain: list[Job]) -> Tables:
    write_sweep(folder, jobs, rounds=6)
    edit(folder / "plan.json", waterfalls=[[job.key for job in chain]])
    return collect(folder)


def test_the_product_of_the_steps_is_the_whole(tmp_path: Path) -> None:
    tables = _sweep(tmp_path, [*DEMO, SMALL], [EAGER, ONNX, INT8, SMALL])
    (one,) = waterfalls(tables)
    assert [label for label, _ in one.steps] == ["onnx", "onnx-int8", "minilm-l3"]
    rows = {row["job"]: row for row in tables.summary.to_pylist()}
    whole = (1 / rows[SMALL.key]["latency_ratio"], 90 / 12, 500 / 200)
    for index, expected in enumerate(whole):
        factors = [factors[index] for _, factors in one.steps]
        assert math.prod(factor.added or 0 for factor in factors) == pytest.approx(expected)
        assert factors[-1].so_far == pytest.approx(expected)
    speed = one.steps[1][1][0]
    assert speed.added == pytest.approx(0.08 / 0.036, rel=0.05)
    low, high = map(float, speed.note.split("–"))
    assert low < (speed.added or 0) < high


def test_a_step_that_failed_has_no_factor_and_those_before_it_stand(tmp_path: Path) -> None:
    broken = Job("broken", failure=("oom", "killed", tuple(range(6))))
    (one,) = waterfalls(_sweep(tmp_path, [EAGER, ONNX, broken], [EAGER, ONNX, broken]))
    assert one.steps[0][1][0].added is not None
    assert one.steps[1][1][0].text() == one.steps[1][1][0].total() == "–"
    assert Figure(waterfall_chart(one)).to_dict()["data"]


def test_rows_with_other_baselines_are_compared_by_their_latency_and_it_is_said(tmp_path: Path) -> None:
    eager, onnx = Job("torch-eager", 0.06, threads=2), Job("onnx", 0.04, threads=2)
    (one,) = waterfalls(_sweep(tmp_path, [EAGER, ONNX, eager, onnx], [EAGER, ONNX, onnx]))
    label, (speed, *_) = one.steps[1]
    assert (label, speed.note.endswith(APART)) == ("2 threads", True)
    assert speed.added == pytest.approx(2, rel=0.05)


def test_bars_join(tmp_path: Path) -> None:
    (one,) = waterfalls(_sweep(tmp_path, [*DEMO], [EAGER, ONNX, INT8]))
    chart = waterfall_chart(one)
    assert chart["layout"]["xaxis"]["type"] == "log"
    for bars in Figure(chart).to_dict()["data"]:
        first, second, whole = zip(bars["base"], bars["x"], strict=True)
        assert first[0] == whole[0] == 1
        assert sum(first) == pytest.approx(second[0])
        assert sum(second) == pytest.approx(sum(whole))


def test_it_is_in_both_reports_and_only_where_it_is_declared(tmp_path: Path) -> None:
    _sweep(tmp_path, [*DEMO], [EAGER, ONNX, INT8])
    page = write_report(tmp_path).read_text()
    assert "Step by step" in page
    assert "| 2. onnx-int8 |" in (tmp_path / "report.md").read_text()
    edit(tmp_path / "plan.json", waterfalls=[])
    collect(tmp_path)
    assert "Step by step" not in write_report(tmp_path).read_text()


def test_accuracy_in_detail_shows_the_summary(tmp_path: Path) -> None:
    write_sweep(tmp_path)
    path = tmp_path / "predictions" / f"{INT8.key}.json"
    found = {"examples": 60, "changed_predictions": 2, "logit_difference": 0.017}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"batch_sensitivity": found}))
    tables = collect(tmp_path)
    (group,) = groups(tables)
    detail = accuracy_detail(group, tables.manifest["labels"]["tweets"])
    assert detail is not None
    cells = dict(
        zip(
            (column.title for column in detail.columns),
            next(own for label, _, own in detail.rows if label == "onnx-int8"),
            strict=True,
        )
    )
    row = next(row for row in tables.summary.to_pylist() if row["technique"] == "onnx-int8")
    assert cells["Δ accuracy"].text == f"{100 * row['accuracy_difference']:+.1f}".replace("-", "−")
    assert cells["Worst recall"].note == row["worst_recall_label"]
    assert cells["Worst recall"].hint.startswith("negative ")
    assert (cells["By batch"].text, cells["By batch"].note) == ("2 of 60", "logits by 0.017")
    write_report(tmp_path)
    assert "Accuracy in detail" in (tmp_path / "report.md").read_text()


def test_random_weights_have_no_detail(tmp_path: Path) -> None:
    (group,) = groups(collect(write_sweep(tmp_path, weights="random")))
    assert accuracy_detail(group, []) is None
