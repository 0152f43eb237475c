"""`pinbox init [FOLDER] [--code]`: write a commented example of one's own conf/ (and code), which runs as it is."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from runner.cli.init.write import write_example
from runner.errors import UserError


def main() -> int:
    """Write it, name its files, and what to type next; return 0, or 2 if that cannot be done."""
    parser = argparse.ArgumentParser("pinbox init", description="Write a commented example of your own conf/.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(), help="default: the current one")
    parser.add_argument("--code", action="store_true", help="of a step, an engine, a task and a metric, too")
    asked = parser.parse_args()
    folder = asked.folder
    try:
        for path in write_example(folder, asked.code):
            print(path)
    except UserError as error:
        print(f"pinbox: {error}", file=sys.stderr)
        return 2
    there = f"cd {folder} && " if folder != Path() else ""
    pinbox = "pinbox" if shutil.which("pinbox") else Path(sys.executable).with_name("pinbox")
    print(f"It runs as it is: {there}{pinbox} sweep grid={'own-code' if asked.code else 'mine'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
