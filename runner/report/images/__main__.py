"""pinbox charts SWEEP: write every chart of a report as an image file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from runner.errors import UserError
from runner.report.images.export import FORMATS, export_charts


def main() -> int:
    """Write the files and name them; return 0, or 2 if there is nothing to draw or nothing to draw it with."""
    parser = argparse.ArgumentParser("pinbox charts", description="Write the charts of a report as files.")
    parser.add_argument("sweep", type=Path, help="folder of a sweep with a report, or a page such as diff.html")
    parser.add_argument("--to", type=Path, help="folder for the files (default: charts, beside the page)")
    parser.add_argument("--format", choices=FORMATS, default="svg")
    asked = parser.parse_args()
    page = asked.sweep if asked.sweep.suffix == ".html" else asked.sweep / "report.html"
    try:
        for path in export_charts(page, asked.to or page.parent / "charts", asked.format):
            print(path)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
