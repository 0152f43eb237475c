"""diff.html says what diff.json says, to a browser too, and no name in it becomes markup."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.diff import messages
from runner.diff.charts import charts
from runner.diff.compare import Diff, diff
from runner.diff.write import write_diff
from tests.browser import PHONE, Opened, OpenPage
from tests.diff.sweeps import JOBS, Job, sweep

HOSTILE = "</script><script>document.title='owned'</script><img src=http://example.invalid/x onerror=alert(1)>"
BEFORE = [*JOBS, Job("broken", 0.5), Job("gone"), Job("a{{ 7 * 7 }}|<b>", 0.8)]
AFTER = [
    JOBS[0],
    replace(JOBS[1], latency_ratio=0.7, rss_bytes=5e8),
    replace(JOBS[2], latency_ratio=0.2, disk_bytes=20_000_000, wrong=70),
    replace(BEFORE[3], failure="oom"),
    Job("new"),
    BEFORE[5],
]


@pytest.fixture(scope="module")
def found() -> Diff:
    return diff(sweep(BEFORE, folder=Path("outputs/before")), sweep(AFTER, seed=1, kernel="6.2"))


@pytest.fixture(scope="module")
def folder(found: Diff, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("diff")
    write_diff(found, folder, "any")
    return folder


def _text(opened: Opened) -> str:
    """Return all that the page says, folded or not, each run of white space as one blank."""
    said: str = opened.page.evaluate("document.querySelector('main').textContent + document.title")
    return " ".join(said.split())


def test_it_says_what_the_json_says(folder: Path, open_page: OpenPage) -> None:
    record = json.loads((folder / "diff.json").read_text())
    opened = open_page(folder / "diff.html")
    said = _text(opened)
    assert record["really_different"]
    assert record["environment"]
    for expected in (record["conclusion"], record["rule"], *record["warnings"], *record["notes"]):
        assert expected in said
    for one in record["environment"]:
        assert one["name"] in said
        assert one["b"] in said
    for one in record["really_different"]:
        for sentence in one["changes"]:
            assert sentence in said
    assert "Only in A gone · 1 thread" in said
    assert "Only in B new · 1 thread" in said
    tables = opened.page.locator("table.measured")
    assert tables.count() == len({row["job_b"] for row in record["compared"]})
    assert tables.locator("tbody tr").count() == len(record["compared"])
    evaluated = ("worse", "better", "changed")
    coloured = sum(tables.locator(f"tbody tr.{tone}").count() for tone in evaluated)
    assert coloured == sum(row["real"] for row in record["compared"])


def test_a_measure_of_a_job_has_its_figures_in_the_table(found: Diff, folder: Path, open_page: OpenPage) -> None:
    opened = open_page(folder / "diff.html")
    memory = next(one for one in found.real if one.pair.b.row["technique"] == "onnx").change("memory")
    assert memory is not None
    row = opened.page.locator("#jobs table.measured").first.locator("tr", has_text="Own memory").first
    cells = [cell.strip() for cell in row.locator("th, td").all_text_contents()]
    a, b = messages.figures(memory)
    assert cells[:4] == ["Own memorylarger", f"{messages.relative(memory)}{messages.interval(memory)}", a, b]


def test_charts_hold_the_ratios_and_their_intervals(found: Diff) -> None:
    drawn = {chart.name: chart.figure for chart in charts(found)}
    assert list(drawn) == ["latency_ratio", "memory", "disk", "first_call", "score"]
    axis, trace = drawn["latency_ratio"]["layout"]["xaxis"], drawn["latency_ratio"]["data"][0]
    assert axis["type"] == "log"
    assert "logarithmic" in axis["title"]["text"]
    assert trace["x"] == sorted(trace["x"], reverse=True)
    for one in found.compared:
        change = one.change("latency_ratio")
        if change is None:
            continue
        place = [name.partition(" ")[0] for name in trace["y"]].index(
            messages.namer(found)(one.pair.b).partition(" ")[0]
        )
        low = trace["x"][place] - trace["error_x"]["arrayminus"][place]
        high = trace["x"][place] + trace["error_x"]["array"][place]
        assert (trace["x"][place], low, high) == pytest.approx((change.ratio, change.low, change.high))
        is_grey = trace["marker"]["color"][place] == "#7b828d"
        assert is_grey == (not change.real)
        assert 10 ** axis["range"][0] < trace["x"][place] < 10 ** axis["range"][1]
    assert drawn["disk"]["data"][0]["x"] == pytest.approx([20 / 23]), "what did not change at all is left out"
    assert drawn["score"]["layout"]["xaxis"]["type"] == "linear"


def test_a_wild_interval_does_not_hide_the_others(found: Diff) -> None:
    wild = diff(sweep(rounds=2, noise=0.3), sweep(rounds=2, noise=0.3, seed=5))
    axis = charts(wild)[0].figure["layout"]["xaxis"]
    assert "whiskers cut" in axis["title"]["text"]
    furthest = max(abs(math.log10(x)) for x in charts(wild)[0].figure["data"][0]["x"])
    assert axis["range"][1] - axis["range"][0] < 2 * 3 * max(furthest, 0.05)


def test_many_jobs_leave_a_chart_legible() -> None:
    jobs = [JOBS[0], *(Job(f"t{number}", 0.5) for number in range(80))]
    chart = charts(diff(sweep(jobs), sweep([*jobs[:-1], replace(jobs[-1], latency_ratio=0.6)], seed=1)))[0]
    assert len(chart.figure["data"][0]["y"]) == 60
    assert chart.figure["data"][0]["y"][0].startswith("t79 "), "what really changed stays"
    assert "60 of 80" in chart.explanation


def _hostile() -> Diff:
    jobs: list[Job] = [JOBS[0], Job(f"a{HOSTILE}", 0.5), Job("[b] `c` {{ 7 * 7 }}", 0.6)]
    after = [
        jobs[0],
        replace(jobs[1], latency_ratio=0.7),
        replace(jobs[2], failure=f"oom{HOSTILE}"),
        Job(f"n{HOSTILE}"),
    ]
    machine: dict[str, Any] = {"cpu_model": f"c{HOSTILE}", "versions": {f"v{HOSTILE}": f"1{HOSTILE}"}}
    before = sweep(jobs, folder=Path(f"outputs/{HOSTILE}"), versions={f"v{HOSTILE}": "0"})
    return diff(before, sweep(after, **machine))


@pytest.mark.parametrize("dark", [False, True])
def test_hostile_names_stay_names_in_a_browser(tmp_path: Path, open_page: OpenPage, dark: bool) -> None:
    write_diff(_hostile(), tmp_path, "any")
    opened = open_page(tmp_path / "diff.html", size=PHONE, dark=dark)
    assert (opened.errors, opened.requests) == ([], [])
    assert opened.page.title().endswith("· Pinbox")
    assert opened.page.locator("img").count() == 0
    assert opened.page.locator("script:not([type])").count() == 2, "Plotly and our own"
    said = _text(opened)
    for name in (f"a{HOSTILE}", "[b] `c` {{ 7 * 7 }}", f"n{HOSTILE}", f"c{HOSTILE}", f"v{HOSTILE}", f"oom{HOSTILE}"):
        assert name in said
    opened.page.locator(".chart").scroll_into_view_if_needed()
    opened.page.wait_for_selector(".js-plotly-plot")
    assert opened.page.evaluate("document.documentElement.scrollWidth") == PHONE[0], "nothing is wider than the phone"


def test_the_policy_lets_nothing_else_run(folder: Path, tmp_path: Path, open_page: OpenPage) -> None:
    page = (folder / "diff.html").read_text()
    (tmp_path / "edited.html").write_text(page.replace("</body>", "<script>document.title = 'owned'</script></body>"))
    opened = open_page(tmp_path / "edited.html")
    assert any("Content Security Policy" in error for error in opened.errors)
    assert opened.page.title() != "owned"


def test_sweeps_that_do_not_compare_still_give_a_page(tmp_path: Path, open_page: OpenPage) -> None:
    apart = diff(sweep([Job("a")]), sweep([Job("b")]))
    write_diff(apart, tmp_path, "any")
    opened = open_page(tmp_path / "diff.html")
    assert (opened.errors, opened.requests) == ([], [])
    assert "Not comparable" in _text(opened)
    assert opened.page.locator(".chart").count() == 0
