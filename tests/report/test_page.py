"""The report as a reader uses it, in a browser: sort, filter, hide, choose."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from runner.report.write import write_report
from runner.results.collect import collect
from runner.results.tables import Tables
from tests.browser import DESKTOP, PHONE, OpenPage
from tests.results.synthetic import BASELINE, DEMO, Job, write_sweep

MANY = [BASELINE, *(Job(f"variant-{i:03}", 0.02 + 0.001 * i, disk_bytes=10**6 * (100 - i)) for i in range(80))]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    jobs = [*DEMO, *(Job(f"heads-{i}", 0.1 + i / 1000, flips=0.2) for i in range(60, 65))]
    tables = collect(write_sweep(tmp_path_factory.mktemp("demo"), jobs))
    write_report(tables.folder)
    return tables


def _labels(page: Page) -> list[str]:
    return page.locator("#group-1 [data-table='table-1'] tbody th").evaluate_all(
        "all => all.map(e => e.firstChild.data)"
    )


def test_a_column_sorts_both_ways(demo: Tables, open_page: OpenPage) -> None:
    page = open_page(demo.folder / "report.html").page
    rows = demo.summary.to_pandas().set_index("technique")
    heading = page.locator("#group-1 [data-table='table-1'] th button", has_text="Memory peak")
    heading.click()
    assert rows.loc[_labels(page), "rss_peak_bytes"].is_monotonic_increasing
    heading.click()
    assert rows.loc[_labels(page), "rss_peak_bytes"].is_monotonic_decreasing
    assert page.locator("[data-table='table-1'] th[aria-sort='descending']").inner_text().startswith("Memory peak")


def test_words_filter_by_name_and_verdict(demo: Tables, open_page: OpenPage) -> None:
    page = open_page(demo.folder / "report.html").page
    search = page.locator("[data-table='table-1'] input[type=search]")
    search.fill("onnx")
    assert set(_labels(page)) == {"onnx", "onnx-int8"}
    search.fill("heads SLOWER")
    verdicts = demo.summary.to_pandas().set_index("technique").verdict
    assert (
        set(_labels(page)) == {name for name, said in verdicts.items() if "heads" in name and said == "slower"} != set()
    )
    search.fill("nothing like it")
    assert _labels(page) == []


def test_hidden_columns_can_be_shown(demo: Tables, open_page: OpenPage) -> None:
    page = open_page(demo.folder / "report.html").page
    heading = page.locator("[data-table='table-1'] thead th", has_text="Throughput")
    assert not heading.is_visible()
    page.locator("[data-table='table-1'] .columns summary").click()
    page.get_by_label("Throughput").first.check()
    assert heading.is_visible()


def test_the_gallery_chooses_by_variant_and_kind(demo: Tables, open_page: OpenPage) -> None:
    page = open_page(demo.folder / "report.html").page
    page.locator("[data-gallery] select").nth(0).select_option("heads-50")
    page.locator("[data-gallery] select").nth(1).select_option("negative")
    frame = demo.predictions.read().to_pandas()
    own = frame[(frame.technique == "heads-50") & (frame.prediction != frame.baseline_prediction)]
    flips = own[own.baseline_prediction == own.label].sort_values("total_variation", ascending=False)
    shown = page.locator("[data-gallery] td.text").all_inner_texts()
    assert shown == flips["text"].tolist()[:25] != []


def test_the_gallery_says_how_many_it_shows(tmp_path: Path, open_page: OpenPage) -> None:
    jobs = [BASELINE, Job("one", 0.09, flips=0.005), Job("many", 0.08, flips=20.0)]
    tables = collect(write_sweep(tmp_path, jobs, texts=[f"text {i}" for i in range(400)]))
    changed = tables.summary.to_pandas().set_index("technique").changed_predictions
    assert (changed["one"], changed["many"] > 100) == (1, True)
    page = open_page(write_report(tmp_path)).page
    said = page.locator("[data-gallery] [role=status]")
    rest = f"predictions.parquet has all {changed['many'] + 1:.0f}."
    assert said.inner_text() == f"25 of 101 changes shown; {rest}"
    page.locator("[data-gallery] select").nth(0).select_option("one")
    assert said.inner_text() == f"1 of 1 change shown; {rest}"


def test_long_tables_come_in_pages(tmp_path: Path, open_page: OpenPage) -> None:
    collect(write_sweep(tmp_path, MANY, rounds=1))
    opened = open_page(write_report(tmp_path))
    assert (opened.errors, opened.requests) == ([], [])
    assert len(_labels(opened.page)) == 60
    opened.page.locator("[data-table='table-1'] button.more").click()
    assert len(_labels(opened.page)) == 81


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_the_answer_is_seen_at_once_and_nothing_overflows(
    demo: Tables, open_page: OpenPage, size: tuple[int, int], dark: bool
) -> None:
    opened = open_page(demo.folder / "report.html", size, dark)
    fastest = opened.page.locator("#answer tbody tr", has_text="Fastest").first
    box = fastest.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < size[1]
    row = demo.summary.to_pandas().set_index("technique").loc["onnx-int8"]
    assert "onnx-int8" in fastest.inner_text()
    assert f"{1 / row.latency_ratio:.2f}×" in fastest.inner_text()
    assert opened.page.evaluate("document.documentElement.scrollWidth") == size[0]
    assert opened.errors == []
