"""What became of a sweep after its fault: the same command goes on, and what it ends with is held against a sweep that
nothing disturbed."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.faults.sweeps import GRID, KEYS, SmallSweep, filled

COLUMNS = ("Fault", "Exit codes", "Kept", "Failed", "Lost", "Doubled", "Again", "Left", "What the user reads")
_TELLING = (
    *("Stopped", "pinbox:", "error", "Another sweep", "is used by", "Not whole"),
    *(": crashed: ", ": oom: ", ": timeout: ", ": prepare-failed: "),
)
_LONGEST = 200


@dataclass(frozen=True)
class Verdict:
    """A row of the table, and what is wrong with it, if anything is."""

    cells: tuple[str, ...]
    wrong: str | None


class Recovery:
    """Knows the undisturbed sweep, which is run once in each kind of box, when it is first asked for.

    Args:
        place: a folder for them.

    Attributes:
        rows, lost, doubled, bad: of all verdicts.
    """

    def __init__(self, place: Path) -> None:
        self._place = place / "undisturbed"
        self._keys: dict[str, Counter[tuple[object, ...]]] = {}
        self.rows = self.lost = self.doubled = self.bad = 0
        self._first = SmallSweep(self._place / "first" / "sweep", self._place / "first" / "store")

    def store(self) -> Path:
        """Return a store that holds all that the small sweep prepares."""
        self._undisturbed(self._first)
        return self._first.store

    def check(self, name: str, sweep: SmallSweep) -> Verdict:
        """Go on with a sweep after its fault, and evaluate the end."""
        seen = said(sweep)
        after = sweep.trials()
        kept = {trial for trial, content in after.items() if content["status"] == "ok"}
        failed = Counter(content["status"] for content in after.values() if content["status"] != "ok")
        mute = [trial for trial in after if not _teaches(sweep, after[trial])]
        sweep.run()
        if sweep.codes[-1] == 1:  # a failed trial is a row; it is repeated when asked
            sweep.run("hydra.sweeper.retry=failed")
        found, wanted = Counter(sweep.keys()), self._undisturbed(sweep)
        lost, doubled = (wanted - found).total(), (found - wanted).total()
        again = sum(sweep.trials()[trial]["written"] != after[trial]["written"] for trial in kept)
        left = sweep.left()
        self.rows, self.lost, self.doubled = self.rows + 1, self.lost + lost, self.doubled + doubled
        wrong = {
            "rows lost": lost,
            "rows doubled": doubled,
            "measured again": again,
            f"left behind: {left}": left,
            f"says nothing of why: {mute}": mute,
            "a traceback": any("Traceback" in text for text in sweep.said),
            f"not well in the end: {sweep.said[-1]}": sweep.codes[-1] or set(sweep.results().status) != {"ok"},
        }
        faults = [what for what, is_so in wrong.items() if is_so]
        self.bad += bool(faults)
        cells = (
            name,
            ", ".join(map(str, sweep.codes)),
            f"{len(kept)} of {wanted.total()}",
            ", ".join(f"{number} {status}" for status, number in failed.items()) or "0",
            *map(str, (lost, doubled, again, len(left))),
            seen,
        )
        return Verdict(cells, "; ".join(faults) or None)

    def summary(self) -> str:
        """Return the last line: how many rows of how many faults were lost."""
        wrong = f"{self.bad} went wrong. " if self.bad else ""
        return f"{self.rows} faults. {wrong}Rows lost: {self.lost}, rows doubled: {self.doubled}."

    def _undisturbed(self, sweep: SmallSweep) -> Counter[tuple[object, ...]]:
        """Return the keys of what a sweep gives when nothing disturbs it; of a large one, those that it planned."""
        if sweep.grid != GRID:
            plan = json.loads((sweep.folder / "plan.json").read_text())
            return Counter(tuple(trial[key] for key in KEYS) for trial in plan["trials"])
        if sweep.kind not in self._keys:
            if sweep is not self._first:
                folder = self._place / sweep.kind
                sweep = SmallSweep(folder / "sweep", folder / "store", sweep.kind, sweep.engine)
                filled(sweep, self.store())
            sweep.run()
            assert sweep.codes == [0], sweep.said[-1]
            self._keys[sweep.kind] = Counter(sweep.keys())
        return self._keys[sweep.kind]


def said(sweep: SmallSweep) -> str:
    """Return the line of the fault's own run that says what happened."""
    lines = [line.strip() for text in sweep.said for line in text.splitlines() if line.strip()]
    found = [line for line in lines if any(word in line for word in _TELLING)]
    return (found or lines or ["(nothing: it was dead)"])[-1][:_LONGEST]


def _teaches(sweep: SmallSweep, trial: dict[str, object]) -> bool:
    """Return whether a failed trial has a reason of one line, and a log that is there."""
    if trial["status"] == "ok":
        return True
    error, log = trial["error"], trial.get("log")
    return isinstance(error, str) and "\n" not in error and isinstance(log, str) and (sweep.folder / log).is_file()
