"""A sweep's folder: where everything lies in it, and how it is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runner.store.artifacts import atomic_write

SCHEMA = 3  # version of the JSON files


@dataclass(frozen=True)
class SweepFolder:
    """The paths in a sweep's folder; there need not be anything at them.

    Attributes:
        path: of the folder itself.
    """

    path: Path

    @property
    def lock(self) -> Path:
        """Return the file that the running sweep holds."""
        return self.path / ".lock"

    @property
    def plan(self) -> Path:
        """Return where the plan lies; see `runner.results.records.plan`."""
        return self.path / "plan.json"

    @property
    def peaks(self) -> Path:
        """Return where the machine's peaks lie, by the number of threads."""
        return self.path / "peaks.json"

    @property
    def search(self) -> Path:
        """Return where a search notes what it has done."""
        return self.path / "search.json"

    @property
    def manifest(self) -> Path:
        """Return where that lies which the tables do not say."""
        return self.path / "manifest.json"

    @property
    def report(self) -> Path:
        """Return the report's page."""
        return self.path / "report.html"

    @property
    def markdown(self) -> Path:
        """Return the report as Markdown."""
        return self.path / "report.md"

    @property
    def trials(self) -> Path:
        """Return the folder of the trials' own folders."""
        return self.path / "trials"

    @property
    def predictions(self) -> Path:
        """Return the folder of the predictions, one file a job."""
        return self.path / "predictions"

    @property
    def slurm_logs(self) -> Path:
        """Return where Slurm jobs write; submitit puts their number in."""
        return self.path / "slurm" / "%j"

    def job(self, key: str) -> Path:
        """Return where a job's config lies."""
        return self.path / "jobs" / f"{key}.yaml"

    def prepared(self, job: str) -> Path:
        """Return where it is noted how a job's preparing went."""
        return self.path / "prepared" / job / "prepared.json"

    def predictions_of(self, job: str) -> Path:
        """Return where a job's predictions lie."""
        return self.predictions / f"{job}.json"

    def trial_folder(self, trial: str) -> Path:
        """Return a trial's own folder, by the trial's name."""
        return self.trials / trial

    def trial(self, trial: str) -> Path:
        """Return where a trial's result lies."""
        return self.trials / trial / "trial.json"

    def lost(self, trial: str) -> Path:
        """Return where it is noted that a cluster lost a trial; its result, once there, is taken instead."""
        return self.trials / trial / "lost.json"

    def node(self, unit: str) -> Path:
        """Return where it is noted which node of a cluster measures a unit."""
        return self.path / "nodes" / f"{unit}.json"

    def nodes(self) -> Iterator[Path]:
        """Return the notes of all units that a node has begun, in a fixed order."""
        return iter(sorted((self.path / "nodes").glob("*.json")))

    def table(self, name: str) -> Path:
        """Return where a table lies."""
        return self.path / f"{name}.parquet"

    def write(self, path: Path, text: str) -> None:
        """Write one of its files so that a reader sees all of it or nothing; make the folder that it lies in."""
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, text)

    def relative(self, path: Path) -> str:
        """Return a path as it is named within the folder."""
        return path.absolute().relative_to(self.path.absolute()).as_posix()
