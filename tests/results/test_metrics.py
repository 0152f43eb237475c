"""Metrics of the user's own: from plugins/metrics to the summary and the report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runner.errors import UserError
from runner.report.write import collect_and_report
from runner.results.metrics import metric_of
from runner.results.tables import Tables, read_tables
from tests.results.synthetic import DEMO, write_sweep

RIGHT = """
def metric(labels, predictions, probabilities, names):
    assert all(abs(sum(row) - 1) < 1e-9 and len(row) == len(names) for row in probabilities)
    return sum(a == b for a, b in zip(labels, predictions)) / len(labels)
"""
METRICS = {
    "right": RIGHT,
    "raises": "def metric(*_): raise ValueError('no')",
    "endless": "def metric(*_): return 1e999",
}


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plugins" / "metrics").mkdir(parents=True)
    for name, code in METRICS.items():
        (tmp_path / "plugins" / "metrics" / f"{name}.py").write_text(code)
    return tmp_path / "sweep"


def collected(sweep: Path, metrics: list[str], weights: str = "trained") -> Tables:
    write_sweep(sweep, DEMO[:2], weights=weights)
    plan = json.loads((sweep / "plan.json").read_text())
    (sweep / "plan.json").write_text(json.dumps(plan | {"metrics": metrics}))
    collect_and_report(sweep)
    return read_tables(sweep)


def test_a_metric_is_a_figure_of_every_job(sweep: Path) -> None:
    tables = collected(sweep, ["right"])
    for row in tables.summary.to_pylist():
        assert dict(row["metrics"]) == {"right": pytest.approx(row["accuracy"])}
    assert tables.manifest["metrics"]["right"].startswith("metrics/right@")
    assert tables.manifest["warnings"] == []
    table = next(line for line in (sweep / "report.md").read_text().splitlines() if line.startswith("| Variant"))
    assert table.endswith("| right |")


def test_one_that_cannot_be_had_is_null_and_the_rest_is_there(sweep: Path) -> None:
    tables = collected(sweep, ["raises", "right", "gone", "endless"])
    values = [dict(row["metrics"]) for row in tables.summary.to_pylist()]
    assert all(one["right"] is not None for one in values)
    assert {value for one in values for name, value in one.items() if name != "right"} == {None}
    said = "\n".join(tables.manifest["warnings"])
    assert "metric 'raises' is null for" in said
    assert "ValueError: no" in said
    assert "metric 'gone' is null: metrics: there is no metric 'gone'" in said
    assert "ValueError: it returned inf" in said


def test_of_random_weights_there_is_none(sweep: Path) -> None:
    tables = collected(sweep, ["right"], weights="random")
    assert [dict(row["metrics"]) for row in tables.summary.to_pylist()] == [{"right": None}] * 2


def test_a_sweep_without_metrics_has_none(sweep: Path) -> None:
    assert [row["metrics"] for row in collected(sweep, []).summary.to_pylist()] == [[], []]


def test_a_mistyped_one_is_refused_before_anything_starts(sweep: Path) -> None:
    with pytest.raises(UserError, match=r"metrics: there is no metric 'rihgt'. Did you mean 'right'"):
        metric_of("rihgt")
