"""A report of 10,000 jobs, in a browser: it opens, answers, sorts and filters."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from runner.report.html import render_html
from runner.report.markdown import render_markdown
from runner.results.tables import Tables
from tests.browser import OpenPage
from tests.report.large import JOBS, large_sweep, opening


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return large_sweep(tmp_path_factory.mktemp("many"))


@pytest.fixture(scope="module")
def page(tables: Tables) -> Path:
    path = tables.folder / "report.html"
    path.write_text(render_html(tables), encoding="utf-8")
    return path


def test_ten_thousand_jobs_stay_usable(tables: Tables, page: Path, open_page: OpenPage) -> None:
    assert len(tables.summary) >= JOBS
    opened = open_page(page)
    assert (opened.errors, opened.requests) == ([], [])
    answer = opened.page.locator("#answer tbody tr", has_text="Fastest").first.bounding_box()
    assert answer is not None
    assert answer["y"] + answer["height"] < 800
    assert opened.page.locator("#recommend .headline").first.inner_text()
    table = opened.page.locator("[data-table='table-1']")
    assert table.locator("tbody tr").count() < 100, "a page of rows at a time"
    table.get_by_role("searchbox").fill("variant-9-00499")
    assert table.locator("tbody tr").count() == 1
    table.get_by_role("searchbox").fill("")
    table.get_by_role("button", name="Disk").click()
    assert "variant-0-00499" in table.locator("tbody th").nth(1).inner_text(), "the smallest but for the baseline"
    assert opened.errors == []


def test_a_comparison_that_is_folded_is_drawn_when_a_link_leads_to_it(page: Path, open_page: OpenPage) -> None:
    opened = open_page(page)
    rows = opened.page.locator("#group-400 [data-table='table-400'] tbody tr")
    assert rows.count() == 0
    opened.page.locator("#answer summary").click()
    opened.page.locator("#answer a[href='#group-400']").click()
    rows.first.wait_for()
    assert rows.count() == 11
    assert opened.errors == []


def test_it_opens_soon(browser: Browser, page: Path) -> None:
    """Generous: `python -m tests.report.large` measures it; here other work takes its share of caches and cores, which
    lengthens processor time, too."""
    found = opening(browser, page)
    assert found.processor_seconds < 20
    assert page.stat().st_size < 40e6


@pytest.mark.slow
def test_its_markdown_is_short_enough_to_read(tables: Tables) -> None:
    text = render_markdown(tables)
    assert len(text) < 2e6
    assert "more: report.html has them" in text
