"""A report of 10,000 jobs, in a browser: it opens, answers, sorts and filters."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.report.html import render_html
from runner.results.collect import collect
from tests.browser import DESKTOP, OpenPage
from tests.results.many import multiplied
from tests.results.synthetic import BASELINE, Job, write_sweep

JOBS = 10_000


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    variants = [Job(f"variant-{i}", 0.02 + 0.001 * i, disk_bytes=10**8 * (i + 1), flips=i / 10) for i in range(10)]
    tables = collect(write_sweep(folder, [BASELINE, *variants], texts=["one", "two", "three"], rounds=2))
    path = folder / "report.html"
    path.write_text(render_html(multiplied(tables, JOBS // len(variants), folder)), encoding="utf-8")
    return path


def test_ten_thousand_jobs_stay_usable(page: Path, open_page: OpenPage) -> None:
    opened = open_page(page, DESKTOP)
    assert (opened.errors, opened.requests) == ([], [])
    answer = opened.page.locator("#recommend .headline").first
    assert answer.inner_text()
    table = opened.page.locator("[data-table='table-1']")
    assert table.locator("tbody tr").count() < 100, "a page of rows at a time"
    table.get_by_role("searchbox").fill("variant-9-00999")
    assert table.locator("tbody tr").count() == 1
    table.get_by_role("searchbox").fill("")
    table.get_by_role("button", name="Disk").click()
    assert "variant-0-00999" in table.locator("tbody th").nth(1).inner_text(), "the smallest but for the baseline"
    assert opened.errors == []
