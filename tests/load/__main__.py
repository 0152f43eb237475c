"""python -m tests.load: plan very many jobs, go on with all but one done, and run very many boxes in a row."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.load.boxes import Held, ManyBoxes
from tests.load.plans import ManyJobs

_WIDTH = 9


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser("python -m tests.load")
    parser.add_argument("--jobs", type=int, default=10_000, help="planned, and all but one found done; 0 for none")
    parser.add_argument("--boxes", type=int, default=1000, help="real boxes in a row; 0 for none")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        if asked.jobs:
            jobs(Path(place) / "jobs", asked.jobs)
        if asked.boxes:
            boxes(Path(place) / "boxes", asked.boxes)
    return 0


def jobs(place: Path, number: int) -> None:
    """Print how long the command took to each stage, and its CPU time per job until then."""
    for passed in ManyJobs(place, number).run():
        print(
            f"{number} jobs, {passed.stage}: {passed.seconds:.1f} s, of them on a CPU {passed.cpu_seconds:.1f} s "
            f"({1000 * passed.cpu_seconds / number:.2f} ms a job)",
            flush=True,
        )


def boxes(place: Path, number: int) -> None:
    """Print what is held every tenth of the way, a line each."""
    print(*(f"{name.replace('_', ' '):>{_WIDTH}}" for name in Held.__annotations__), sep="  ", flush=True)
    for held in ManyBoxes(place, number).run(every=max(1, number // 10)):
        print(*(f"{round(value):{_WIDTH}}" for value in vars(held).values()), sep="  ", flush=True)


if __name__ == "__main__":
    sys.exit(main())
