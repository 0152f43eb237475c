"""python -m tests.scale: how long collect, report, diff and recommend take, and how that grows with the trials.

Each runs as a process of its own, on as many cores as this one may use (`taskset -c 0,1 python -m tests.scale`).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.scale.fabricate import fabricate

SECONDS, MEGABYTES = 60, 2000  # promised for each command, at LARGE trials, on two cores of a quiet machine
LARGE = 100_000


@dataclass(frozen=True)
class Cost:
    """What a command cost; the peak is that of its largest process, since the others hold little."""

    seconds: float
    processor_seconds: float
    peak_megabytes: float


def main() -> int:
    """Print the table; return 1 where a command failed or needed more memory than is promised."""
    parser = argparse.ArgumentParser("python -m tests.scale", description="How the time of reading a sweep grows.")
    parser.add_argument("--trials", default="1000,10000", help="sizes, such as 10000,100000,1000000")
    parser.add_argument(
        "--folder", type=Path, help="where the sweeps are made, and stay; those that are there are used"
    )
    asked = parser.parse_args()
    console = Console(width=140, highlight=False)
    sizes = [int(size) for size in asked.trials.split(",")]
    with tempfile.TemporaryDirectory() as scratch:
        found = {size: _costs(asked.folder or Path(scratch), size, console) for size in sizes}
    console.print(_table(found))
    over = [cost for size, costs in found.items() if size <= LARGE for cost in costs.values()]
    return int(any(cost.peak_megabytes > MEGABYTES for cost in over))


def _costs(folder: Path, trials: int, console: Console) -> dict[str, Cost]:
    a, b = (folder / f"{name}-{trials}" for name in "ab")
    for seed, sweep in enumerate((a, b)):
        if not sweep.exists():
            began = time.perf_counter()
            made = fabricate(sweep, trials, seed, a if sweep is b else None)
            console.print(f"{sweep.name}: {made:,} trials made up in {time.perf_counter() - began:.0f} s", style="dim")
    commands = {
        "collect": ["collect", a],
        "collect B": ["collect", b],
        "report": ["report", a],
        "diff": ["diff", a, b],
        "recommend": ["recommend", a, "--max-p90-ms", "15", "--min-score", "70"],
    }
    costs = {}
    for name, command in commands.items():
        costs[name] = _run([sys.executable, "-m", "runner.cli", *map(str, command)])
        console.print(f"{trials:,} {name}: {costs[name]}", style="dim")
    return costs


def _run(command: Sequence[str]) -> Cost:
    """Run a command to its end.

    Raises:
        RuntimeError: if it crashed; 1 is a verdict.
    """
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        raise RuntimeError(f"{' '.join(command)} ended with exit code {process.returncode}")
    return Cost(time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e3)


def _table(found: dict[int, dict[str, Cost]]) -> Table:
    table = Table(title="Processor seconds, wall seconds, peak of memory; × is the factor to the size before")
    table.add_column("")
    for size in found:
        table.add_column(f"{size:,} trials", justify="right")
    for name in next(iter(found.values())):
        cells, before = [], None
        for costs in found.values():
            cost = costs[name]
            grown = f" (×{cost.processor_seconds / before.processor_seconds:.1f})" if before else ""
            said = f"{cost.processor_seconds:.1f} s{grown}, {cost.seconds:.1f} s, {cost.peak_megabytes:,.0f} MB"
            cells.append(said)
            before = cost
        table.add_row(name, *cells)
    return table


if __name__ == "__main__":
    sys.exit(main())
