"""A launcher is handed the name of each trial, and nothing else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hydra.core.utils import JobStatus
from omegaconf import OmegaConf

from hydra_plugins.pinbox_sweeper import sweeper
from runner.results.records.plan import Role, TrialSpec
from runner.sweep.launching import override_of, trial_asked, trials_named

TRIALS = [TrialSpec(job, 0, place, Role.variant, "a") for place, job in enumerate("bc")]


class StockLauncher:
    """Notes what it is handed."""

    def __init__(self) -> None:
        self.handed: list[Any] = []

    def launch(self, job_overrides: Any, initial_job_idx: int) -> list[Any]:
        self.handed.append((job_overrides, initial_job_idx))
        return [SimpleNamespace(status=JobStatus.COMPLETED) for _ in job_overrides]


def test_one_override_a_trial() -> None:
    made = sweeper.PinboxSweeper.__new__(sweeper.PinboxSweeper)
    made.launcher = launcher = StockLauncher()  # type: ignore[assignment]
    made._launch(TRIALS, 3)
    assert launcher.handed == [([["+trial=b-r0-variant"], ["+trial=c-r0-variant"]], 3)]
    assert trials_named(launcher.handed[0][0]) == [trial.name for trial in TRIALS]


def test_a_job_outside_a_sweep_has_no_trial() -> None:
    assert trial_asked(OmegaConf.create({"threads": 1})) is None
    assert trial_asked(OmegaConf.create(dict([override_of("x-r0-variant").removeprefix("+").split("=")]))) == (
        "x-r0-variant"
    )
