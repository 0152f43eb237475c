"""pinbox bundle SWEEP TO: hand a sweep to somebody else; see `make bundle`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from runner.errors import UserError
from runner.export.bundle.write import write_bundle
from runner.results.tables import read_tables


def main() -> int:
    """Write the bundle and name it; return 0, or 2 if that cannot be done."""
    parser = argparse.ArgumentParser("pinbox bundle", description="Hand a sweep to somebody else.")
    parser.add_argument("sweep", type=Path, help="folder of a sweep, collected")
    parser.add_argument("to", type=Path, help="a folder that is not there yet, or a file that ends in .tar.zst")
    asked = parser.parse_args()
    try:
        print(write_bundle(read_tables(asked.sweep), asked.to))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
