"""A report of 10,000 jobs, and how long it takes: `python -m tests.report.large` writes one, opens it, and says so.

Half of the jobs stand in one table, half in hundreds of comparisons: both are ways for a page to become slow.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, sync_playwright

from runner.report.html import render_html
from runner.results.collect import collect
from runner.results.tables import Tables
from tests.browser import CHROMIUM, DESKTOP
from tests.results.many import multiplied, spread, together
from tests.results.synthetic import BASELINE, Job, write_sweep

JOBS = 10_000
_VARIANTS, _OPENED, _LIMIT_SECONDS = 10, 7, 2.0
#: After the next frame is painted: then what can be seen is there, and the page answers.
_READY = "() => new Promise(done => requestAnimationFrame(() => setTimeout(() => done(performance.now()))))"


@dataclass(frozen=True)
class Opening:
    """How long it took until the answer was painted and the page free to react.

    Attributes:
        seconds: since the navigation began.
        processor_seconds: of the page's own thread; that, other work on the machine does not lengthen.
    """

    seconds: float
    processor_seconds: float


def large_sweep(folder: Path) -> Tables:
    """Return the tables of JOBS jobs, and a few more."""
    variants = [
        Job(f"variant-{i}", 0.02 + 0.001 * i, disk_bytes=10**8 * (i + 1), flips=i / 10) for i in range(_VARIANTS)
    ]
    tables = collect(write_sweep(folder, [BASELINE, *variants], texts=["one", "two", "three"], rounds=2))
    half = JOBS // 2
    one_table = multiplied(tables, half // _VARIANTS, folder)
    return together(one_table, spread(tables, half // (_VARIANTS + 1) + 1, folder))


def opening(browser: Browser, page: Path) -> Opening:
    """Open a page by itself and return how long it took."""
    context = browser.new_context(viewport={"width": DESKTOP[0], "height": DESKTOP[1]}, offline=True)
    try:
        opened = context.new_page()
        session = context.new_cdp_session(opened)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        opened.goto(page.as_uri(), timeout=0)  # however long: that is what is asked
        ready_ms = opened.evaluate(_READY)
        metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
        return Opening(ready_ms / 1e3, metrics["TaskDuration"])
    finally:
        context.close()


def main() -> int:
    """Print the figures; return 1 where the median opening took longer than is promised."""
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        tables, page = large_sweep(Path(name)), Path(name) / "report.html"
        wall, processor = time.perf_counter(), time.process_time()
        page.write_text(render_html(tables), encoding="utf-8")
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        print(f"{len(tables.summary):,} jobs: {page.stat().st_size / 1e6:.1f} MB, written in {wall:.1f} s ", end="")
        print(f"({processor:.1f} s of processor)")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        found = [opening(browser, page) for _ in range(_OPENED)]
        browser.close()
    seconds = sorted(one.seconds for one in found)
    print(f"Opened {_OPENED} times: median {median(seconds):.2f} s, {seconds[0]:.2f} to {seconds[-1]:.2f} ", end="")
    print(f"({median(one.processor_seconds for one in found):.2f} s of processor); promised: {_LIMIT_SECONDS:g} s")
    return int(median(seconds) > _LIMIT_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
