"""pinbox import SWEEP FILE…: show what other tools measured in a sweep's report; see `make import`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from runner.errors import UserError
from runner.report.write import write_report
from runner.results.external.measured import keep
from runner.results.external.read import read
from runner.results.format import pluralize
from runner.results.tables import read_tables


def main() -> int:
    """Import the files and write the report anew; return 0, or 2 if that cannot be done."""
    parser = argparse.ArgumentParser("pinbox import", description="Show other tools' results beside ours.")
    parser.add_argument("sweep", type=Path, help="folder of a collected sweep, such as outputs/demo")
    parser.add_argument("file", type=Path, nargs="+", help="JSON of pyperf or optimum-benchmark")
    asked = parser.parse_args()
    try:
        read_tables(asked.sweep)
        found = [one for path in asked.file for one in read(path)]
        keep(asked.sweep, found)
        report = write_report(asked.sweep)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{pluralize(len(found), 'benchmark')} of {pluralize(len(asked.file), 'file')}, now in the report.\n{report}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
