"""A small real sweep that faults are caused in: two techniques of the tiny model, two rounds, pinned processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[2]
GRID = [
    *("grid=smoke", "isolation=process", "isolation.timeout_seconds=40"),
    *("grid.union=[{technique: [onnx, onnx-int8]}]", "grid.baseline=onnx"),
]
KEYS = ["job", "round", "role"]
TRIALS = 6
_SECONDS = 300


@dataclass
class SmallSweep:
    """One sweep in its folder; `store` may be shared, so that only the first one prepares.

    Attributes:
        codes, said: the exit code and the output of every run so far.
    """

    folder: Path
    store: Path
    arguments: list[str] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start it, or go on with it."""
        command = [sys.executable, "-m", "runner", "-m", *GRID, f"hydra.sweep.dir={self.folder}", f"store={self.store}"]
        return subprocess.Popen(
            [*command, *self.arguments, *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def end(self, process: subprocess.Popen[str]) -> str:
        """Wait for it, and return what it printed."""
        said, _ = process.communicate(timeout=_SECONDS)
        self.codes.append(process.returncode)
        self.said.append(said)
        return said

    def run(self, *arguments: str) -> str:
        return self.end(self.start(*arguments))

    def trials(self) -> dict[str, int]:
        """Return when each trial's file was written, in ns, by its folder's name."""
        return {path.parent.name: path.stat().st_mtime_ns for path in self.folder.glob("trials/*/trial.json")}

    def results(self) -> pd.DataFrame:
        return pd.read_parquet(self.folder / "results.parquet")

    def keys(self) -> list[tuple[object, ...]]:
        """Return the keys of all rows, in order; one that is there twice is there twice."""
        return sorted(self.results()[KEYS].itertuples(index=False, name=None))

    def until(self, condition: Callable[[], bool], process: subprocess.Popen[str]) -> bool:
        """Wait until something holds; False if the sweep ended before."""
        while not condition():
            if process.poll() is not None:
                return False
            time.sleep(0.01)
        return True

    def box(self) -> int | None:
        """Return the process of the trial that is being measured, None if there is none."""
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                command = path.read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if re.search(r"runner\.trial ", command) and str(self.folder) in command:
                return int(path.parent.name)
        return None


def kill(process: subprocess.Popen[str], number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to the runner alone, as `kill` does."""
    os.kill(process.pid, number)
