"""`pinbox charts`: write every chart of a report as an image file."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.parameters import SweepPath
from runner.report.images.export import FORMATS, export_charts


@click.command()
@click.argument("sweep", type=SweepPath(), help="The folder of a sweep with a report, or a page such as diff.html.")
@click.option("--to", type=click.Path(path_type=Path), help="Folder for the files (default: charts, beside the page).")
@click.option("--format", type=click.Choice(FORMATS), default="svg", show_default=True, help="Format of the files.")
def charts(sweep: Path, to: Path | None, format: str) -> None:
    """Write every chart of a report as a file."""
    page = sweep if sweep.suffix == ".html" else sweep / "report.html"
    for path in export_charts(page, to or page.parent / "charts", format):
        print(path)
