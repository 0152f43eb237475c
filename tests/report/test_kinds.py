"""Reports of every kind of sweep in a browser: they open, answer at once, and their charts say what Parquet says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Page

from runner.report.charts.chart import contrast
from runner.report.seed_study import PUBLISHED
from runner.report.write import write_report
from runner.results.collect import collect
from tests.browser import DESKTOP, PHONE, OpenPage
from tests.results.synthetic import DEMO, Job, edit, write_sweep

ALL_ROUNDS = (0, 1, 2)
#: Far enough apart for a logarithmic axis, and on several threads.
JOBS = [
    *DEMO,
    Job("static", 0.004, flips=0.7),
    *(Job(job.technique, 0.7 * job.latency_seconds, threads=2) for job in DEMO),
]
FAILING = [
    *DEMO,
    Job("broken", failure=("oom", "killed at 0.3 GiB, the box's memory limit", ALL_ROUNDS)),
    Job("slow", failure=("timeout", "no result after 60 s", (1,))),
]


def _seed(folder: Path) -> None:
    jobs = [
        Job(technique, row.inference_seconds / 16, model=model, disk_bytes=int(1e6 * row.disk_mb))
        for (model, technique), row in PUBLISHED.items()
    ]
    write_sweep(folder, jobs, name="seed", task="alice", family="roberta-base", weights="random", noise=0.03)
    edit(folder / "plan.json", waterfalls=[[job.key for job in jobs[:3]]])


KINDS: dict[str, Callable[[Path], object]] = {
    "demo": lambda folder: write_sweep(folder, JOBS, noise=0.03),
    "seed": _seed,
    "failures": lambda folder: write_sweep(folder, FAILING),
    "nothing but failures": lambda folder: write_sweep(folder, FAILING[-2:-1]),
    "empty": lambda folder: write_sweep(folder, []),
    "one round, without labels": lambda folder: write_sweep(folder, rounds=1, labels=[], isolation="process"),
}
ANSWERS = {
    "demo": "Fastest",
    "seed": "Fastest",
    "failures": "Fastest",
    "nothing but failures": "No variant was shown to be faster",
    "empty": "This sweep has no jobs.",
    "one round, without labels": "Fastest",
}


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {kind: tmp_path_factory.mktemp("kind") for kind in KINDS}
    for kind, folder in folders.items():
        KINDS[kind](folder)
        collect(folder)
        write_report(folder)
    return folders


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_answers_at_once_in_any_light_and_width(
    sweeps: dict[str, Path], open_page: OpenPage, kind: str
) -> None:
    for size, dark in ((DESKTOP, False), (PHONE, True)):
        opened = open_page(sweeps[kind] / "report.html", size, dark)
        answer = opened.page.get_by_text(ANSWERS[kind]).first.bounding_box()
        assert answer is not None
        assert answer["y"] + answer["height"] < size[1], "seen without scrolling"
        opened.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        charts = _all_charts(opened.page)
        assert len(charts) == opened.page.locator("[data-figure]").count()
        assert opened.page.evaluate("document.documentElement.scrollWidth") == size[0], (
            "nothing is wider than the window"
        )
        assert (opened.errors, opened.requests) == ([], [])


def test_what_failed_is_named_before_anything_is_scrolled(sweeps: dict[str, Path], open_page: OpenPage) -> None:
    page = open_page(sweeps["failures"] / "report.html").page
    link = page.get_by_role("link", name="2 jobs not ok")
    box = link.bounding_box()
    assert box is not None
    assert box["y"] < 200
    link.click()
    assert "killed at 0.3 GiB" in page.locator("#failures").inner_text()


@pytest.mark.parametrize("kind", ["demo", "seed", "failures"])
def test_no_axis_misleads(sweeps: dict[str, Path], open_page: OpenPage, kind: str) -> None:
    charts = _all_charts(open_page(sweeps[kind] / "report.html").page)
    logarithmic = 0
    for name, chart in charts.items():
        for axis in ("xaxis", "yaxis"):
            if chart[axis]["type"] == "log":
                logarithmic += 1
                assert "logarithmic" in chart[axis]["title"], name
        for trace in chart["data"]:
            if trace["type"] == "bar" and "base" not in trace:
                assert chart["xaxis"]["range"][0] == 0, name
    assert logarithmic > 0 or kind == "failures", "whose calls lie within a decade"


def test_charts_hold_what_parquet_holds(sweeps: dict[str, Path], open_page: OpenPage) -> None:
    folder = sweeps["demo"]
    charts = _all_charts(open_page(folder / "report.html").page)
    summary, results, samples, memory = (
        pd.read_parquet(folder / f"{name}.parquet") for name in ("summary", "results", "samples", "memory")
    )
    rows = summary[summary.threads == 1].set_index("technique")

    (bars,) = charts["speedup-1"]["data"]
    assert len(bars["y"]) == len(rows)
    for technique, speedup, below, above in zip(
        bars["y"], bars["x"], bars["error_x"]["arrayminus"], bars["error_x"]["array"], strict=True
    ):
        row = rows.loc[technique]
        assert speedup == pytest.approx(1 / row.latency_ratio)
        if technique != "torch-eager":
            assert (speedup - below, speedup + above) == pytest.approx(
                (1 / row.latency_ratio_high, 1 / row.latency_ratio_low)
            )

    for chart, column, unit in (("front-disk-1", "disk_bytes", 1e-6), ("front-memory-1", "rss_peak_bytes", 1e-6)):
        points = [
            point
            for trace in charts[chart]["data"]
            for point in zip(trace.get("hovertext", []), trace["x"], trace["y"], strict=False)
        ]
        assert {technique for technique, _, _ in points} == set(rows.index)
        for technique, latency_ms, value in points:
            assert value == pytest.approx(unit * rows.loc[technique, column])
            expected = 1e3 * rows.loc["torch-eager"].latency_p50_seconds * rows.loc[technique].latency_ratio
            assert latency_ms == pytest.approx(expected)

    trials = results[results.status == "ok"][["job", "round", "role"]]  # the partner's calls are not a trial's own
    own = samples.merge(trials).groupby("job").latency_seconds
    boxes = [trace for trace in charts["latency-1"]["data"] if trace["type"] == "box"]
    assert len(boxes) == len(rows)
    for box in boxes:
        calls_ms = 1e3 * own.get_group(rows.loc[box["name"]].job).to_numpy()
        found = [box[key][0] for key in ("lowerfence", "q1", "median", "q3", "upperfence")]
        assert found == pytest.approx(list(np.quantile(calls_ms, (0.01, 0.25, 0.5, 0.75, 0.99))))

    for line in charts["rounds-1"]["data"]:
        trials = results[(results.job == rows.loc[line["name"]].job) & (results.status == "ok")].sort_values("round")
        assert sorted(line["y"]) == pytest.approx(sorted(1 / trials.latency_ratio))

    for line in charts["memory-1"]["data"]:
        peak = memory[(memory.job == rows.loc[line["name"]].job) & (memory["round"] == 0)].rss_bytes.max()
        assert max(line["y"]) == pytest.approx(peak / 1e6, abs=0.1)


def test_a_hand_on_the_keyboard_is_enough(sweeps: dict[str, Path], open_page: OpenPage) -> None:
    page = open_page(sweeps["demo"] / "report.html").page
    reached: dict[str, str] = {}
    for _ in range(60):
        page.keyboard.press("Tab")
        tag, kind, text, outline = page.evaluate(_FOCUSED)
        reached[f"{tag} {kind} {text}".strip()] = outline
    assert {"A  Figures", "SUMMARY  Columns", "BUTTON button Disk", "BUTTON reset No limits"} <= set(reached)
    assert sum(name.startswith("INPUT range") for name in reached) > 0
    unseen = [name for name, outline in reached.items() if outline == "none" and not name.startswith("BODY")]
    assert unseen == []

    heading = page.locator("[data-table='table-1'] th button", has_text="Disk")
    heading.focus()
    page.keyboard.press("Enter")
    assert page.locator("[data-table='table-1'] th[aria-sort='ascending']").inner_text().startswith("Disk")
    slider = page.locator("[data-measure=disk_bytes] input[type=range]")
    slider.focus()
    page.keyboard.press("Home")
    assert float(page.get_by_label("disk at most (MB)").input_value()) == pytest.approx(23.0)


def test_texts_stand_out_in_light_and_dark(sweeps: dict[str, Path], open_page: OpenPage) -> None:
    for dark in (False, True):
        page = open_page(sweeps["failures"] / "report.html", dark=dark).page
        names = ("ink", "muted", "bad", "accent", "paper", "panel", "bad-panel")
        colours = page.evaluate(_COLOURS, names)
        for name in ("ink", "muted", "bad", "accent"):
            for ground in ("paper", "panel", *(["bad-panel"] if name in ("ink", "bad") else [])):
                assert contrast(colours[name], colours[ground]) >= 4.5, (dark, name, ground)


_FOCUSED = """() => {
  const one = document.activeElement;
  return [one.tagName, one.type || "", (one.textContent || "").trim().slice(0, 40), getComputedStyle(one).outlineStyle];
}"""
_COLOURS = """names => {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(names.map(name => [name, style.getPropertyValue(`--${name}`).trim()]));
}"""
_DRAWN = """() => Object.fromEntries([...document.querySelectorAll("[data-figure]")].map(place => {
  const axis = ({ type, range, title }) => ({ type, range, title: title?.text || "" });
  const { xaxis, yaxis } = place._fullLayout;
  return [place.dataset.figure, { data: place.data, xaxis: axis(xaxis), yaxis: axis(yaxis) }];
}))"""


def _all_charts(page: Page) -> dict[str, Any]:
    """Draw every chart, seen or not, and return what each shows."""
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    # a function: a bare expression is evaluated anew for each look, which the page's policy forbids
    page.wait_for_function("() => [...document.querySelectorAll('[data-figure]')].every(place => place._fullLayout)")
    found: dict[str, Any] = page.evaluate(_DRAWN)
    return found
