"""What the reports say of capacities, and how latency under load is drawn."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import plotly.graph_objects as go
import pytest
from rich.console import Console

from runner.report.charts.load import load_chart
from runner.report.html import render_html
from runner.report.markdown import render_markdown
from runner.report.recordings import recordings
from runner.report.terminal import print_summary
from runner.report.view import groups
from runner.results.collect import collect
from runner.results.tables import Tables
from tests.results.synthetic import DEMO, Job, write_sweep

BASELINE = Job("torch-eager", 0.1, capacity_per_second=50.0)
INT8 = Job("onnx-int8", 0.036, capacity_per_second=400.0)
SLOW = Job("too-slow", 0.2, capacity_per_second=0.0)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return collect(write_sweep(tmp_path_factory.mktemp("open"), [BASELINE, INT8, SLOW]))


def test_a_capacity_stands_beside_its_ratio_and_its_interval(tables: Tables) -> None:
    (group,) = groups(tables)
    cells = {variant.label: variant.cells["Capacity"] for variant in group.variants}
    assert re.fullmatch(r"\d{3} /s", cells["onnx-int8"].text)
    assert re.fullmatch(r"×[78]\.\d\d, \d\.\d\d–\d\.\d\d", cells["onnx-int8"].note)
    assert cells["onnx-int8"].hint == "higher against the baseline's"
    assert cells["torch-eager"].note == "×1.00"
    assert (cells["too-slow"].text, cells["too-slow"].note) == ("0 /s", "")
    assert cells["too-slow"].hint == "no rate keeps the objective"


def test_a_group_names_its_load_and_its_objective(tables: Tables) -> None:
    (group,) = groups(tables)
    assert group.title.endswith("1 thread, load open")
    assert (
        "Capacity: 99% of the requests are answered within 50.0 ms of their random arrival (Poisson), by 1 worker; a "
        "call has up to 1 request."
    ) in group.caption


def test_every_report_shows_it(tables: Tables) -> None:
    for width in (100, 200):
        text = io.StringIO()
        print_summary(tables, Console(file=text, width=width))
        assert "Capacity" in text.getvalue()
        assert "0 /s" in text.getvalue()
    markdown = render_markdown(tables)
    assert "| Capacity |" in markdown
    assert "| Offline |" in markdown
    assert '"Capacity"' in render_html(tables)


def test_the_chart_holds_the_probes_of_the_table(tables: Tables) -> None:
    (group,) = groups(tables)
    chart = load_chart(group, recordings(tables, [group]))
    assert chart is not None
    go.Figure(chart.figure)
    dots, line, capacity = (trace for trace in chart.figure["data"] if trace["name"] == "onnx-int8")
    probes = tables.load.read(jobs=[INT8.key]).to_pylist()
    raw = sorted(
        (probe["asked_per_second"], 1000 * probe["slo_latency_seconds"])
        for probe in probes
        if probe["scenario"] == "server"
    )
    assert list(zip(dots["x"], dots["y"], strict=True)) == [pytest.approx(point, rel=1e-4) for point in raw]
    assert len(line["x"]) == 3, "one point for each rate"
    assert capacity["x"] == [pytest.approx(400, rel=0.03)]
    assert capacity["y"] == [50]
    assert chart.figure["layout"]["shapes"][0]["y0"] == 50
    assert json.dumps(chart.figure)


def test_a_closed_load_has_neither_column_nor_chart(tmp_path: Path) -> None:
    tables = collect(write_sweep(tmp_path, DEMO[:2]))
    (group,) = groups(tables)
    assert not {"Capacity", "Offline"} & {column.title for column in group.columns}
    assert load_chart(group, recordings(tables, [group])) is None
    assert "apacity" not in render_markdown(tables)


def test_jobs_under_another_load_are_another_group(tmp_path: Path) -> None:
    closed = [replace(job, threads=2, capacity_per_second=None) for job in (BASELINE, INT8)]
    tables = collect(write_sweep(tmp_path, [BASELINE, INT8, *closed]))
    found = groups(tables)
    assert [group.title.partition(", workload")[2] for group in found] == [
        *(" b1, 1 thread, load open", " b1, 2 threads"),
    ]
