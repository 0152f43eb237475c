"""python -m tests.faults: cause every fault in a real sweep, go on, and say what was seen and what was lost.

As root, since some faults need a disk of their own. Those in Docker get an engine of their own, which takes its image
from the machine's. `--kills 50` kills a sweep at 50 random moments besides.
"""

from __future__ import annotations

import argparse
import random
import re
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.faults.engine import own_engine, why_not
from tests.faults.recovery import COLUMNS, Recovery
from tests.faults.stops import killed_at_random_moments
from tests.faults.sweeps import SmallSweep, filled
from tests.faults.table import FAULTS, Fault


def main() -> int:
    """Print the table; return 1 if a row was lost or doubled, or something was left behind."""
    parser = argparse.ArgumentParser("python -m tests.faults")
    parser.add_argument("--kills", type=int, default=0, help="SIGKILLs at random moments, besides")
    parser.add_argument("--only", default="", help="faults whose name this pattern (re) finds")
    parser.add_argument("--seed", type=int, default=0, help="of these moments")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that the engine ends with us
    console = Console(width=200, highlight=False)
    with ExitStack() as held:
        place = Path(
            held.enter_context(tempfile.TemporaryDirectory(prefix="pinbox-faults-", ignore_cleanup_errors=True))
        )
        wanted = _possible({name: fault for name, fault in FAULTS.items() if re.search(asked.only, name)}, console)
        engine = None
        if any(fault.kind != "process" for fault in wanted.values()):
            console.print("Starting a Docker engine of our own, with the image of the machine's.", style="dim")
            engine = held.enter_context(own_engine())
        table, recovery = Table(*COLUMNS, title="Faults"), Recovery(place)

        def show(name: str, sweep: SmallSweep) -> None:
            verdict = recovery.check(name, sweep)
            table.add_row(*map(escape, verdict.cells))
            line = f"{name}: {verdict.wrong or 'well'} ({verdict.cells[1]}; {verdict.cells[-1]})"
            console.print(escape(line), style="red" if verdict.wrong else "dim")

        for number, (name, fault) in enumerate(wanted.items()):
            folder, kind = place / str(number), "process" if fault.kind == "process" else "docker"
            sweep = SmallSweep(folder / "sweep", folder / "store", kind, engine if kind == "docker" else None)
            filled(sweep, recovery.store(), fault.without)
            try:
                fault.cause(sweep)
            except (AssertionError, OSError, subprocess.SubprocessError) as error:
                recovery.bad += 1
                console.print(escape(f"{name}: could not be caused: {error}"), style="red")
            else:
                show(name, sweep)
        if asked.kills:
            for sweep, hits in killed_at_random_moments(
                asked.kills, random.Random(asked.seed), place, recovery.store()
            ):
                show(f"killed at {hits} random moment{'s' if hits > 1 else ''}", sweep)
    console.print(table)
    console.print(recovery.summary())
    return 1 if recovery.bad else 0


def _possible(faults: dict[str, Fault], console: Console) -> dict[str, Fault]:
    """Return the faults that can be caused here; say which cannot, and why."""
    no_engine = why_not()
    left_out: dict[str, list[str]] = {}
    for name, fault in faults.items():
        if reason := fault.why_not(no_engine):
            left_out.setdefault(reason, []).append(name)
    for reason, names in left_out.items():
        console.print(f"Left out ({reason}): {'; '.join(names)}.")
    return {name: fault for name, fault in faults.items() if not fault.why_not(no_engine)}


if __name__ == "__main__":
    sys.exit(main())
