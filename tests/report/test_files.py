"""report.md, report.html and the terminal, with friendly and with hostile names."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from runner.cli.pinbox import main
from runner.errors import UserError
from runner.report.markdown import escape
from runner.report.terminal import print_summary
from runner.report.write import write_report
from runner.results.collect import collect
from tests.browser import OpenPage
from tests.results.synthetic import BASELINE, DEMO, Job, write_sweep

HOSTILE = "</script><script>document.title='owned'</script><img src=http://example.invalid/x onerror=alert(1)>"
HOSTILE_JOBS = [
    BASELINE,
    Job(f"a{HOSTILE}", 0.05, flips=2.0),
    Job("[bold]b[/bold] | `c` {{ 7 * 7 }}", 0.08, failure=("crashed", f"d{HOSTILE}\x1b[31m", (0,))),
]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    texts = [f"{i} {HOSTILE} | *x*\n# y" for i in range(60)]
    labels = ["neg<b>", "neu", "pos\"'"]
    collect(write_sweep(folder, HOSTILE_JOBS, name=f"e{HOSTILE}", texts=texts, labels=labels))
    write_report(folder)
    return folder


class _Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_hostile_texts_stay_texts_in_html(hostile: Path) -> None:
    tags = _Tags((hostile / "report.html").read_text()).found
    assert "img" not in {tag for tag, _ in tags}
    assert sum(tag == "script" and attributes == {} for tag, attributes in tags) == 5, "only our own"
    assert not any(name.startswith("on") or name == "src" for _, attributes in tags for name in attributes)


def test_hostile_texts_stay_texts_in_markdown(hostile: Path) -> None:
    text = (hostile / "report.md").read_text()
    assert "<script" not in text
    assert "<img" not in text
    assert set(re.findall(r"</?\w+", text)) <= {"<details", "</details", "<summary", "</summary"}
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1, table


def test_markdown_escapes_what_would_be_markup() -> None:
    assert escape("a|b\n*c* <d> `e` [f](g) @h") == r"a\|b \*c\* &lt;d&gt; \`e\` \[f\](g) \@h"


def test_markdown_holds_the_tables(tmp_path: Path) -> None:
    collect(write_sweep(tmp_path))
    write_report(tmp_path)
    text = (tmp_path / "report.md").read_text()
    for job in DEMO:
        assert f"| {job.technique} |" in text
    assert "Fastest: onnx-int8" in text
    assert "predictions changed" in text


def test_html_needs_nothing_from_outside(tmp_path: Path) -> None:
    collect(write_sweep(tmp_path))
    page = write_report(tmp_path).read_text()
    tags = _Tags(page).found
    assert not [attributes for tag, attributes in tags if tag == "link" and attributes["href"] != "data:,"]
    assert not [name for _, attributes in tags for name in attributes if name in ("src", "srcset")]
    assert "default-src 'none'" in page


def test_a_report_needs_collected_tables(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Collect them first"):
        write_report(write_sweep(tmp_path))


def _printed(folder: Path, width: int, **options: object) -> str:
    console = Console(file=io.StringIO(), width=width, **options)  # type: ignore[arg-type]
    print_summary(collect(folder), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [40, 80, 160])
def test_the_terminal_shows_every_job_at_any_width(tmp_path: Path, width: int) -> None:
    broken = Job("broken", failure=("oom", "killed at 4.0 GiB", (0, 1, 2)))
    text = _printed(write_sweep(tmp_path, [*DEMO, broken]), width)
    for job in (*DEMO, broken):
        assert job.technique[:6] in text
    assert "killed at" in text
    assert text.splitlines()[-1] == str(tmp_path / "report.html")
    assert all(len(line) <= width for line in text.splitlines()[:-1])
    assert ("Memory peak" in text) == (width == 160)


def test_colour_only_where_it_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_sweep(tmp_path)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[32m" in _printed(tmp_path, 100, force_terminal=True, color_system="standard")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[32m" not in _printed(tmp_path, 100, force_terminal=True, color_system="standard")


def test_hostile_texts_stay_texts_on_a_terminal(hostile: Path) -> None:
    text = _printed(hostile, 400)
    assert "[bold]b[/bold]" in text
    assert "\x1b" not in text


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path)]) == 2
    assert "Collect them first" in capsys.readouterr().err
    collect(write_sweep(tmp_path))
    assert main(["report", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "report.html")


def test_a_browser_draws_it_without_errors_and_without_the_network(hostile: Path, open_page: OpenPage) -> None:
    opened = open_page(hostile / "report.html")
    assert (opened.errors, opened.requests) == ([], [])
    assert opened.page.title() == f"e{HOSTILE} · Pinbox"
    charts = opened.page.locator("[data-figure]").count()
    opened.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")  # draws all, seen or not
    opened.page.wait_for_function(f"() => document.querySelectorAll('.js-plotly-plot').length === {charts}")
    assert charts > 3
    assert HOSTILE_JOBS[1].technique in opened.page.locator("body").inner_text()


def test_a_browser_opens_an_empty_report(tmp_path: Path, open_page: OpenPage) -> None:
    collect(write_sweep(tmp_path, []))
    opened = open_page(write_report(tmp_path))
    assert (opened.errors, opened.requests) == ([], [])
    assert "This sweep has no jobs." in opened.page.locator("body").inner_text()


def test_the_browser_would_tell(tmp_path: Path, open_page: OpenPage) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        "<img src='http://example.invalid/x'><script>console.error('no'); throw new Error('thrown')</script>"
    )
    opened = open_page(page)
    assert "no" in opened.errors
    assert "thrown" in opened.errors
    assert opened.requests == ["http://example.invalid/x"]


def test_a_browser_opens_a_report_in_which_all_failed(tmp_path: Path, open_page: OpenPage) -> None:
    failure = ("oom", "killed at 4.0 GiB", (0, 1, 2))
    collect(write_sweep(tmp_path, [replace(job, failure=failure) for job in DEMO[:4]]))
    opened = open_page(write_report(tmp_path))
    assert (opened.errors, opened.requests) == ([], [])
    assert "killed at 4.0 GiB" in opened.page.locator("body").inner_text()
