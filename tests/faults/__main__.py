"""python -m tests.faults: cause every fault in a real sweep, go on, and say what was seen and what was lost.

As root, since some faults need a disk of their own. `--kills 50` kills a sweep at 50 random moments besides.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.faults.sweeps import TRIALS, SmallSweep
from tests.faults.table import FAULTS, killed_at_random


def main() -> int:
    """Print the table; return 1 if a row was lost or doubled."""
    parser = argparse.ArgumentParser("python -m tests.faults")
    parser.add_argument("--kills", type=int, default=0, help="SIGKILLs at random moments, besides")
    parser.add_argument("--only", default="", help="faults whose name has this word")
    asked = parser.parse_args()
    console = Console(width=160, highlight=False)

    def judge(name: str, sweep: SmallSweep) -> bool:
        wrong = row(table, name, sweep, undisturbed)
        console.print(f"{name}: {'wrong' if wrong else 'well'}", style="red" if wrong else "dim")
        return wrong

    table = Table("Fault", "Exit codes", "Kept", "Lost", "Doubled", "What the user reads", title="Faults")
    with tempfile.TemporaryDirectory() as place:
        undisturbed = SmallSweep(Path(place) / "undisturbed", Path(place) / "store")
        undisturbed.run()
        began = time.monotonic()
        SmallSweep(Path(place) / "again", Path(place) / "store").run()
        seconds = time.monotonic() - began
        bad = 0
        for number, (name, cause) in enumerate(FAULTS.items()):
            if asked.only in name:
                sweep = SmallSweep(Path(place) / str(number) / "sweep", Path(place) / str(number) / "store")
                cause(sweep)
                bad += judge(name, sweep)
        chance = random.Random(0)
        kills = 0
        while kills < asked.kills:
            sweep = SmallSweep(Path(place) / f"kill{kills}" / str(chance.random()), Path(place) / "store")
            hits = killed_at_random(sweep, chance, seconds)
            kills += hits
            bad += judge(f"killed at {hits} random moments", sweep) if hits else 0
    console.print(table)
    console.print(
        f"{bad} of {table.row_count} faults lost or doubled a row."
        if bad
        else f"{kills} random kills. Rows lost: 0, rows doubled: 0."
    )
    return 1 if bad else 0


def row(table: Table, name: str, sweep: SmallSweep, undisturbed: SmallSweep) -> bool:
    """Go on with a sweep after its fault, add a row, and return whether anything was lost, doubled or done again."""
    seen, kept = said(sweep), sweep.trials()
    sweep.run()
    if sweep.codes[-1] == 1:  # a failed trial is a row; it is repeated when asked
        sweep.run("hydra.sweeper.retry=failed")
    found, wanted = Counter(sweep.keys()), Counter(undisturbed.keys())
    lost, doubled = sum((wanted - found).values()), sum((found - wanted).values())
    touched = sum(sweep.trials().get(trial) != when for trial, when in kept.items())
    again = f", {touched} anew" if touched else ""
    codes = ", ".join(map(str, sweep.codes))
    table.add_row(name, codes, f"{len(kept)} of {TRIALS}{again}", str(lost), str(doubled), seen)
    return bool(lost or doubled or sweep.codes[-1] or set(sweep.results().status) != {"ok"})


def said(sweep: SmallSweep) -> str:
    """Return the line of the fault's own run that says what happened."""
    lines = [line.strip() for text in sweep.said for line in text.splitlines() if line.strip()]
    telling = ("Stopped", "pinbox:", "error", "was killed", "did not end", "Another sweep", "is used by", "Not whole")
    found = [line for line in lines if any(word in line for word in telling)]
    return (found or lines or ["(nothing: it was dead)"])[-1][:200]


if __name__ == "__main__":
    sys.exit(main())
