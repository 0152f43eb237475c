"""Charts of a report as files; the browser that draws them is the system's."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar
from xml.etree import ElementTree

import pytest

from runner.cli.pinbox import main
from runner.errors import UserError
from runner.report.images.export import PNG_SCALE, WIDTH_PIXELS, export_charts
from runner.report.write import collect_and_report
from tests.browser import CHROMIUM
from tests.results.synthetic import DEMO, Job, write_sweep

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium (apt-get install chromium)")
Result = TypeVar("Result")
HOSTILE = "../../<script>alert(1)</script>"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_sweep(tmp_path_factory.mktemp("sweep"), [*DEMO, Job(HOSTILE, 0.05)], task="Grüße / tweets")
    collect_and_report(folder)
    return folder / "report.html"


def _in_a_thread(call: Callable[..., Result], *arguments: object) -> Result:
    """Call it in a thread of its own: Playwright runs once per thread, and other tests keep this one's open."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call, *arguments).result()


@pytest.mark.browser
@needs_chromium
def test_every_chart_is_a_file_named_after_what_it_shows(report: Path, tmp_path: Path) -> None:
    written = _in_a_thread(export_charts, report, tmp_path / "new", "svg")
    assert sorted(tmp_path.rglob("*.svg")) == sorted(written)
    assert len(written) == report.read_text().count('class="chart"') > 1
    assert any(path.name.startswith("speedup-") and "on-gr-e-tweets" in path.name for path in written)
    for path in written:
        svg = ElementTree.fromstring(path.read_text())
        assert svg.get("width") == str(WIDTH_PIXELS)
        background = next(rect for rect in svg.iter("{http://www.w3.org/2000/svg}rect"))
        assert "rgb(255, 255, 255)" in (background.get("style") or "")
        assert "inherit" not in path.read_text(), "by itself it has nothing to inherit a font from"
        assert "http" not in path.read_text().replace("http://www.w3.org/", ""), "it needs nothing from outside"
    speedups = next(path for path in written if path.name.startswith("speedup-"))
    texts = ["".join(text.itertext()) for text in ElementTree.parse(speedups).iter("{http://www.w3.org/2000/svg}text")]
    assert {"onnx-int8", HOSTILE} <= set(texts)


@pytest.mark.browser
@needs_chromium
def test_the_command_writes_png_beside_the_report(report: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _in_a_thread(main, ["charts", str(report.parent), "--format", "png"]) == 0
    named = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert {path.parent for path in named} == {report.parent / "charts"}
    for path in named:
        head = path.read_bytes()[:24]
        assert head[:8] == b"\x89PNG\r\n\x1a\n"
        assert struct.unpack(">I", head[16:20])[0] == WIDTH_PIXELS * PNG_SCALE


@pytest.mark.browser
@needs_chromium
def test_charts_of_one_kind_and_section_do_not_overwrite_each_other(report: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    chart = '<div class="chart" data-figure="a-1"></div>'
    draw = "for (const p of document.querySelectorAll('.chart')) { p.data = [{}]; p.layout = {height: 9}; }"
    fake = "window.Plotly = {toImage: async () => '<svg/>'};"
    page.write_text(f"<section><h2>b</h2>{chart * 2}</section><script>{fake}{draw}</script>")
    assert [path.name for path in _in_a_thread(export_charts, page, tmp_path, "svg")] == ["a-b.svg", "a-b-2.svg"]


@pytest.mark.browser
@needs_chromium
def test_a_page_without_charts_is_an_error(tmp_path: Path) -> None:
    collect_and_report(write_sweep(tmp_path, []))
    with pytest.raises(UserError, match="no charts"):
        _in_a_thread(export_charts, tmp_path / "report.html", tmp_path, "svg")


def test_no_browser_says_what_to_install(report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(UserError, match="apt-get install chromium"):
        export_charts(report, tmp_path, "svg")


def test_no_report_says_how_to_write_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["charts", str(tmp_path)]) == 2
    assert "make report" in capsys.readouterr().err
