"""python -m runner.results SWEEP: collect a sweep's files into Parquet tables."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from runner.errors import UserError, printable
from runner.results.collect import collect
from runner.results.format import pluralize
from runner.results.summary import outcome


def main() -> int:
    """Collect, name what was written, and return 0 (all ok), 1 (some failed or missing) or 2 (none ok)."""
    parser = argparse.ArgumentParser("python -m runner.results", description="Collect a sweep into Parquet.")
    parser.add_argument("sweep", type=Path, help="folder of the sweep, such as outputs/demo")
    sweep = parser.parse_args().sweep
    try:
        tables = collect(sweep)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    for name, table in tables.named().items():
        print(f"{sweep / name}.parquet  {pluralize(len(table), 'row')}")
    for warning in tables.manifest["warnings"]:
        print(printable(f"warning: {warning}"), file=sys.stderr)
    return outcome(tables)


if __name__ == "__main__":
    sys.exit(main())
