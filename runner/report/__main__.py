"""pinbox report SWEEP: write report.md and report.html from a sweep's tables."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from runner.errors import UserError
from runner.report.terminal import print_summary
from runner.report.write import write_report
from runner.results.tables import read_tables


def main() -> int:
    """Write the report and print the summary; return 0, or 2 if there is nothing to report on."""
    parser = argparse.ArgumentParser("pinbox report", description="Write the report of a sweep.")
    parser.add_argument("sweep", type=Path, help="folder of a collected sweep, such as outputs/demo")
    sweep = parser.parse_args().sweep
    try:
        write_report(sweep)
        print_summary(read_tables(sweep), Console())
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
