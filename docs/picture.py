"""python -m docs.picture SWEEP: take the README's picture of a report, light and dark, and write the README's table."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from runner.report.columns import COLUMNS
from runner.report.images.export import opened_page
from runner.results.labels import group_label

ROOT = Path(__file__).parents[1]
PICTURES = {colours: ROOT / "docs" / "pictures" / f"report-{colours}.png" for colours in ("light", "dark")}
_WIDTH, _HEIGHT, _MARGIN = 1250, 1000, 8  # pixels of the page: so wide that the first table fits
_TITLES = ("Speedup", "Over float32", "Latency p50", "Accuracy", "Quality", "Disk", "Memory peak")
_WITH_NOTES = ("Speedup", "Over float32", "Accuracy", "Quality")
_TABLE = re.compile(r"(?<=<!-- table -->\n\n).*?(?=\n<!-- /table -->)", re.DOTALL)


def main() -> None:
    """Write the pictures and the table."""
    parser = argparse.ArgumentParser(prog="python -m docs.picture", description=__doc__)
    parser.add_argument("sweep", type=Path, help="the folder of a sweep of the grid demo, such as outputs/demo")
    sweep = parser.parse_args().sweep
    take_pictures(sweep / "report.html")
    readme = ROOT / "README.md"
    table = demo_table(pq.read_table(sweep / "summary.parquet").to_pylist())
    readme.write_text(_TABLE.sub(lambda _: table, readme.read_text(encoding="utf-8")), encoding="utf-8")


def take_pictures(report: Path) -> None:
    """Take the picture of a report, from its top to the limits, in light and in dark colours."""
    for colours, path in PICTURES.items():
        with opened_page(report, colours, (_WIDTH, _HEIGHT)) as page:
            limits = page.locator("#recommend form").bounding_box()
            assert limits is not None
            shown = {"x": 0, "y": 0, "width": _WIDTH, "height": limits["y"] + limits["height"] + _MARGIN}
            page.screenshot(path=path, clip=shown)


def demo_table(jobs: list[dict[str, Any]]) -> str:
    """Return the table of the demo's variants with one thread, the fastest first."""
    jobs = [job for job in jobs if job["threads"] == 1]
    lines = [f"| Variant | {' | '.join(_TITLES)} |", f"|---|{'---:|' * len(_TITLES)}"]
    for job in sorted(jobs, key=lambda job: float(job["latency_ratio"])):
        cells = [_cell(title, job) for title in _TITLES]
        lines.append(f"| `{group_label(job)}` | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(title: str, job: Mapping[str, Any]) -> str:
    """Return the figure that the report shows, with an interval, or with what a quality's verdict lacks."""
    cell = next(column for column in COLUMNS if column.title == title).cell(job)
    return (
        f"{cell.text} ({cell.note})"
        if title in ("Speedup", "Over float32", "Accuracy", "Quality") and cell.note
        else cell.text
    )


if __name__ == "__main__":
    main()
