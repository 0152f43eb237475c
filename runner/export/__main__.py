"""pinbox export SWEEP VARIANT TO: hand over a measured variant of a collected sweep."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from runner.errors import UserError, printable
from runner.export.write import export
from runner.results.tables import read_tables


def main() -> int:
    """Export; return 0, or 2 if it cannot be done."""
    parser = argparse.ArgumentParser("pinbox export", description="Hand over a variant of a sweep.")
    parser.add_argument("sweep", type=Path, help="folder of the sweep, such as outputs/demo")
    parser.add_argument("variant", help="a job's key, or its technique, or model/technique, if one job alone has that")
    parser.add_argument("to", type=Path, help="folder to make; must not exist, or be empty")
    asked = parser.parse_args()
    try:
        variant = export(read_tables(asked.sweep), asked.variant, asked.to)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    print(printable(f"{variant.name}: {variant.row['job']}"))
    print(asked.to / "README.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
