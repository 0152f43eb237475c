"""The section of the report in a real browser: the same choices as Python's, sliders, keyboard, sizes, schemes."""

from __future__ import annotations

import base64
import random
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from runner.recommend.choose import choose
from runner.recommend.decision import DecisionData
from runner.recommend.decision_data import decision_data
from runner.recommend.limits import Limits
from runner.recommend.margin import Margin
from runner.recommend.messages import LATENCY, SENTENCES, why
from runner.recommend.resamples import Resamples
from runner.report.outcomes import OutcomeEncoder, packed_set
from runner.report.page import template_text
from runner.report.recommendation import recommend_section
from runner.results.collect import collect
from runner.results.tables import Tables
from tests.browser import PHONE, OpenPage
from tests.recommend.sweeps import JOBS, random_limits
from tests.report.recommendation_pages import write_page
from tests.results.synthetic import DEMO, Job, write_sweep

#: Variants near the fastest of the demo.
SIMILAR = (Job("near-a", 0.0365, flips=0.02), Job("near-b", 0.05, flips=0.1))

#: In the page: what choose.js chooses under each of a list of limits, and how long that took in milliseconds.
_CHOOSE = """limits => {
  const [one] = chooser(JSON.parse(document.getElementById("recommend-data").textContent));
  return limits.map(own => {
    const start = performance.now(), chosen = one.choose(own);
    return [chosen, performance.now() - start];
  });
}"""


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return collect(write_sweep(tmp_path_factory.mktemp("sweep"), JOBS, rounds=6, noise=0.05))


def _chosen(data: DecisionData, limits: Limits) -> dict[str, Any]:
    """Return Python's choice as a browser has it."""
    chosen = asdict(choose(data, limits))
    chosen["shares"] = {str(place): share for place, share in chosen["shares"].items()}
    if chosen["excess"] is not None:
        chosen["excess"] = pytest.approx(chosen["excess"])
    return {**chosen, "too_large": False}


def test_the_browser_chooses_as_python_does(tables: Tables, open_page: OpenPage, tmp_path: Path) -> None:
    (data,) = decision_data(tables)
    limits = [{}, {"negative_flips": 0.0}, {"disk_bytes": 1.0}, *random_limits(200, seed=1)]
    opened = open_page(write_page(tables, tmp_path / "page.html"))
    found = opened.page.evaluate(_CHOOSE, limits)
    for own, (chosen, _) in zip(limits, found, strict=True):
        assert chosen == _chosen(data, own), own
    assert not opened.errors
    assert not opened.requests


def test_the_browser_agrees_where_rounds_and_examples_differ(open_page: OpenPage, tmp_path: Path) -> None:
    texts = [f"text {i}" for i in range(1500)]
    for name, options in {
        "thinned": {"texts": texts, "rounds": 5},
        "once": {"rounds": 1},
        "random": {"weights": "random"},
    }.items():
        tables = collect(write_sweep(tmp_path / name, JOBS, noise=0.05, **options))  # type: ignore[arg-type]
        (data,) = decision_data(tables)
        limits = list(random_limits(15, seed=2))
        found = open_page(write_page(tables, tmp_path / f"{name}.html")).page.evaluate(_CHOOSE, limits)
        assert [chosen for chosen, _ in found] == [_chosen(data, own) for own in limits]


def test_the_page_neither_resamples_nor_computes_statistics() -> None:
    script = "".join(template_text("runner.report", name) for name in ("choose.js", "recommend.js"))
    assert not re.findall(r"random|imul|sqrt|\bmedian|\bmean\b|variance", script.lower())


def test_a_page_without_room_for_outcomes_says_so(
    tables: Tables, open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.report.recommendation.OutcomeEncoder", lambda: OutcomeEncoder(max_characters=0))
    opened = open_page(write_page(tables, tmp_path / "page.html"))
    shown = opened.page.locator(".said p").all_inner_texts()
    (data,) = decision_data(tables)
    assert SENTENCES["too large"] in shown
    assert shown[0] == data.variants[0].label
    assert not opened.errors


def test_variants_that_are_never_the_best_have_no_outcomes(tables: Tables) -> None:
    (data,) = decision_data(tables)
    outcomes = OutcomeEncoder().encode(data, Resamples(data))
    assert outcomes is not None
    left_out = {*range(len(data.variants))} - {*outcomes["variants"]}
    assert left_out
    for limits in random_limits(50, seed=5):
        shares = choose(data, limits).shares
        assert not any(shares.get(place) for place in left_out)


def test_a_set_of_places_is_one_bit_each() -> None:
    assert packed_set([], after=2) == ""
    assert base64.b64decode(packed_set([3, 4, 12], after=2)) == bytes([0b11000000, 0b01000000])


def test_sixty_jobs_answer_at_once(open_page: OpenPage, tmp_path: Path) -> None:
    chance = random.Random(0)
    jobs = [JOBS[0], *(Job(f"v{i}", chance.uniform(0.02, 0.12), flips=chance.random()) for i in range(59))]
    tables = collect(write_sweep(tmp_path, jobs, rounds=8, texts=[f"text {i}" for i in range(800)]))
    page = open_page(write_page(tables, tmp_path / "page.html")).page
    found = page.evaluate(_CHOOSE, list(random_limits(30)))
    moves = sorted(milliseconds for _, milliseconds in found[1:])
    assert moves[len(moves) // 2] < 50


def test_a_number_and_a_slider_change_the_answer(tables: Tables, open_page: OpenPage, tmp_path: Path) -> None:
    (data,) = decision_data(tables)
    opened = open_page(write_page(tables, tmp_path / "page.html"))
    page = opened.page

    def shown() -> list[str]:
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return page.locator(".said p").all_inner_texts()

    def expected(limits: Limits, core_hour: float | None = None) -> list[str]:
        return why(data, choose(data, limits), limits, core_hour)

    assert shown()[1:] == expected({})
    page.get_by_label("disk at most (MB)").fill("50")
    assert shown()[1:] == expected({"disk_bytes": 50e6})
    page.get_by_label("Price (per core-hour)").fill("0.04")
    assert shown()[1:] == expected({"disk_bytes": 50e6}, 0.04)
    page.get_by_label("accuracy at least (%)").fill("99")
    limits = {"disk_bytes": 50e6, "score": 99 * 1e-2}
    assert shown() == ["No variant keeps every limit.", *expected(limits, 0.04)]

    page.get_by_role("button", name="No limits").click()
    assert shown()[1:] == expected({})
    page.locator("[data-measure=p90_seconds] [type=range]").press("Home")
    typed = float(page.get_by_label("p90 at most (ms)").input_value())
    assert shown()[1:] == expected({"p90_seconds": typed * 1e-3})
    assert shown()[0] != "No variant keeps every limit.", "the strict end lets the best one through"
    assert not opened.errors


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """A sweep of 800 texts, enough for one variant to be certified; the others are undecided or worse."""
    texts = [f"text {number}" for number in range(800)]
    return collect(write_sweep(tmp_path_factory.mktemp("certified"), [*DEMO, *SIMILAR], rounds=6, texts=texts))


@pytest.mark.parametrize(
    ("option", "name", "allow_undecided"),
    [("only certified quality", "loss", False), ("certified or undecided", "loss_allowing_undecided", True)],
)
def test_only_certified_quality_is_what_recommend_counts(
    certified: Tables, open_page: OpenPage, tmp_path: Path, option: str, name: str, allow_undecided: bool
) -> None:
    (data,) = decision_data(certified, Margin(0.01, allow_undecided))
    opened = open_page(write_page(certified, tmp_path / "page.html"))
    page = opened.page
    page.get_by_label("Quality (a loss below 1 point, 95%)").select_option(option)
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    limits = {"loss": 0.01}
    assert page.locator(".said p").all_inner_texts()[1:] == why(data, choose(data, limits), limits, None)
    others = [{}, {"disk_bytes": 50e6}, *random_limits(60, seed=3)]
    found = page.evaluate(_CHOOSE, [{**own, name: 0.01} for own in others])
    for own, (chosen, _) in zip(others, found, strict=True):
        chosen["fails"] = [["loss" if fail == name else fail for fail in fails] for fails in chosen["fails"]]
        if chosen["excess_measure"] == name:
            chosen["excess_measure"] = "loss"
        assert chosen == _chosen(data, {**own, "loss": 0.01}), own
    page.get_by_role("button", name="No limits").click()
    assert page.locator("#quality").input_value() == ""
    assert not opened.errors


def test_a_sweep_without_verdicts_on_the_quality_has_no_such_control(open_page: OpenPage, tmp_path: Path) -> None:
    tables = collect(write_sweep(tmp_path, JOBS, weights="random"))
    assert open_page(write_page(tables, tmp_path / "page.html")).page.locator("#quality").count() == 0


def test_the_folded_list_says_what_each_fails_on(tables: Tables, open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page(write_page(tables, tmp_path / "page.html")).page
    page.get_by_label("disk at most (MB)").fill("25")
    page.locator(".others summary").press("Enter")
    rows = page.locator(".others tbody tr")
    rows.first.wait_for()
    assert rows.count() == len(JOBS) - 1, "all but the one that failed"
    assert "disk 30.0 MB > 25.0 MB" in page.locator(".others tbody tr.misses").first.inner_text()
    assert "broken · 1 thread (oom)" in page.locator(".answer .bad").inner_text()
    assert LATENCY in page.locator("#recommend > p").last.inner_text()


@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_phone(tables: Tables, open_page: OpenPage, tmp_path: Path, dark: bool) -> None:
    opened = open_page(write_page(tables, tmp_path / "page.html"), size=PHONE, dark=dark)
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    assert not opened.errors


def test_hostile_names_stay_text(open_page: OpenPage, tmp_path: Path) -> None:
    hostile = "</script><img src=x onerror=\"document.title='owned'\">"
    jobs = [JOBS[0], Job(hostile, 0.05), Job(f"b{hostile}", failure=("oom", hostile, (0, 1, 2)))]
    opened = open_page(write_page(collect(write_sweep(tmp_path, jobs, family=f"f{hostile}")), tmp_path / "page.html"))
    opened.page.locator(".others summary").click()
    assert opened.page.title() == ""
    assert opened.page.locator("img").count() == 0
    assert not opened.errors


def test_a_sweep_without_any_measure_has_no_section(tmp_path: Path) -> None:
    assert recommend_section(collect(write_sweep(tmp_path, [Job("a", failure=("oom", "killed", (0, 1, 2)))]))) is None
