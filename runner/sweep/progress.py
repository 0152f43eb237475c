"""Progress of a sweep: a status line on a terminal, plain lines elsewhere.

Hydra calls it before and after every job. It draws only then: nothing refreshes while a trial is being measured.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from runner.console import announce, minutes, say
from runner.results.json_files import read_record
from runner.results.records.trial import TrialRecord
from runner.sweep.slots.slot import this_slot


class Progress(Callback):
    """Jobs done, the current one, and the time left."""

    def __init__(self) -> None:
        self._seconds: dict[str, list[float]] = {}
        self._began = 0.0
        self._read: tuple[int, dict[str, Any]] | None = None

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Name the job that starts."""
        self._began = time.monotonic()
        if config.hydra.mode is not None and config.hydra.mode.name == "MULTIRUN":
            announce(self._title(config, Path(config.hydra.sweep.dir)))

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Remember how long it took, and say so if it failed."""
        self._seconds.setdefault(_title_of(config), []).append(time.monotonic() - self._began)
        note = Path(config.hydra.runtime.output_dir) / "trial.json"
        if note.exists() and (trial := read_record(note, TrialRecord)).status != "ok":
            say(f"{_title_of(config)}: {trial.status}: {trial.error}" + (f" ({trial.log})" if trial.log else ""))

    def _title(self, config: DictConfig, folder: Path) -> str:
        plan = self._plan(folder / "plan.json")
        trials = plan["trials"]
        place = next(
            index
            for index, trial in enumerate(trials)
            if (trial["round"], trial["position"]) == (config.round, config.position)
        )
        left = self._seconds_left(plan, trials[place:])
        remaining = f", about {minutes(left)} left" if left is not None else ""
        if (slot := this_slot()) is not None:
            remaining = f", slot {slot + 1}"  # it sees its own round only; what is left is said when rounds end
        role = "" if config.role.name == "variant" else f" ({config.role.value})"
        count = f"[{place + 1}/{len(trials)}] round {config.round + 1}"
        return f"{count}: {_title_of(config)}{role}{remaining}"

    def _plan(self, path: Path) -> dict[str, Any]:
        """Return the plan, read again only when it has grown: that of 10,000 jobs takes longer to read than a trial."""
        written = path.stat().st_mtime_ns
        if self._read is None or self._read[0] != written:
            self._read = written, json.loads(path.read_text())
        return self._read[1]

    def _seconds_left(self, plan: dict[str, Any], trials: list[dict[str, Any]]) -> float | None:
        """Return what the trials to come should take, from those of the same job so far; None before the first."""
        if not self._seconds:
            return None
        known = {title: sum(values) / len(values) for title, values in self._seconds.items()}
        typical = sum(known.values()) / len(known)
        titles = {job["job"]: _title(job["model"], job["technique"], job["threads"]) for job in plan["jobs"]}
        return sum(known.get(titles[trial["job"]], typical) for trial in trials)


def _title_of(config: DictConfig) -> str:
    return _title(config.model.name, config.technique.name, config.threads)


def _title(model: str, technique: str, threads: int) -> str:
    return f"{model} {technique}, {threads} thread{'s' if threads > 1 else ''}"
