"""Show the progress of a sweep: a status line on a terminal, plain lines elsewhere.

Hydra calls the callback before and after every trial. Nothing is drawn while a trial is measured.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from runner.console import announce, minutes, say
from runner.results.json_files import read_record
from runner.results.records.plan import JobRecord, PlanRecord, Role, TrialSpec, current_plan
from runner.results.records.trial import TrialRecord
from runner.store.sweep_folder import SweepFolder
from runner.sweep.launching import trial_asked
from runner.sweep.slots.slot import this_slot


class Progress(Callback):
    """Show the number of the trial, its job and the time that is left. A job outside a sweep is not shown."""

    def __init__(self) -> None:
        self._seconds: dict[str, list[float]] = {}
        self._began = 0.0

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Show the trial that starts."""
        self._began = time.monotonic()
        if (name := trial_asked(config)) is not None:
            plan = current_plan(_folder(config))
            announce(self._title(plan, plan.trial(name)))

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Record the duration of the trial, and print a line if the trial failed."""
        if (name := trial_asked(config)) is None:
            return
        plan = current_plan(_folder(config))
        title = _title_of(plan.job_of[plan.trial(name).job])
        self._seconds.setdefault(title, []).append(time.monotonic() - self._began)
        result = _folder(config).trial(name)
        if result.exists() and (trial := read_record(result, TrialRecord)).status != "ok":
            say(f"{title}: {trial.status}: {trial.error}" + (f" ({trial.log})" if trial.log else ""))

    def _title(self, plan: PlanRecord, trial: TrialSpec) -> str:
        place = plan.place_of[trial.name]
        left = self._seconds_left(plan, plan.trials[place:])
        remaining = f", about {minutes(left)} left" if left is not None else ""
        if (slot := this_slot()) is not None:
            remaining = f", slot {slot + 1}"  # a slot sees only its own round; InSlots prints the time left
        role = "" if trial.role is Role.variant else f" ({trial.role.value})"
        count = f"[{place + 1}/{len(plan.trials)}] round {trial.round + 1}"
        return f"{count}: {_title_of(plan.job_of[trial.job])}{role}{remaining}"

    def _seconds_left(self, plan: PlanRecord, trials: Sequence[TrialSpec]) -> float | None:
        """Return the expected duration of the remaining trials in seconds, or None before the first trial has ended.

        A trial is expected to take the mean of its job's earlier trials, or else the mean of all jobs.
        """
        if not self._seconds:
            return None
        means = {title: sum(values) / len(values) for title, values in self._seconds.items()}
        overall = sum(means.values()) / len(means)
        titles = {job.job: _title_of(job) for job in plan.jobs}
        return sum(means.get(titles[trial.job], overall) for trial in trials)


def _folder(config: DictConfig) -> SweepFolder:
    return SweepFolder(Path(config.hydra.sweep.dir))


def _title_of(job: JobRecord) -> str:
    return f"{job.model} {job.technique}, {job.threads} thread{'s' if job.threads > 1 else ''}"
