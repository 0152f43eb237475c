"""pinbox diff A B: say what really differs between two collected sweeps."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from runner.diff.compare import FAIL_ON, check_fail_on, diff, exit_code
from runner.diff.terminal import print_diff
from runner.diff.write import write_diff
from runner.errors import UserError
from runner.results.tables import read_tables


def main() -> int:
    """Print and write the diff; return 0 (nothing real), 1 (something real) or 2 (not comparable)."""
    parser = argparse.ArgumentParser("pinbox diff", description="Compare two collected sweeps.")
    parser.add_argument("a", type=Path, help="folder of the sweep to compare with, such as outputs/before")
    parser.add_argument("b", type=Path, help="folder of the sweep in question, such as outputs/after")
    parser.add_argument("--fail-on", default="any", help=f"what makes the exit code 1: {', '.join(FAIL_ON)}")
    parser.add_argument("--out", type=Path, help="folder for diff.html, diff.md, diff.json, diff.parquet (default: B)")
    asked = parser.parse_args()
    try:
        check_fail_on(asked.fail_on)
        found = diff(read_tables(asked.a), read_tables(asked.b))
        write_diff(found, asked.out or asked.b, asked.fail_on)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    print_diff(found, asked.fail_on, Console())
    print(asked.out or asked.b, "diff.html", sep="/")
    return exit_code(found, asked.fail_on)


if __name__ == "__main__":
    sys.exit(main())
