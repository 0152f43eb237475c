"""Define the paths in a sweep's folder, and write its files atomically."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runner.store.artifacts import atomic_write

SCHEMA = 3  # version of the JSON files


@dataclass(frozen=True)
class SweepFolder:
    """The paths in a sweep's folder. A path may not exist yet.

    Attributes:
        path: the folder itself.
    """

    path: Path

    @property
    def lock(self) -> Path:
        """Return the file that a running sweep locks."""
        return self.path / ".lock"

    @property
    def plan(self) -> Path:
        """Return the path of the plan; see `runner.results.records.plan`."""
        return self.path / "plan.json"

    @property
    def peaks(self) -> Path:
        """Return the path of the machine's peaks, by the number of threads."""
        return self.path / "peaks.json"

    @property
    def search(self) -> Path:
        """Return the path of a search's state."""
        return self.path / "search.json"

    @property
    def manifest(self) -> Path:
        """Return the path of the manifest, which holds what the tables do not."""
        return self.path / "manifest.json"

    @property
    def report(self) -> Path:
        """Return the path of the report's page."""
        return self.path / "report.html"

    @property
    def markdown(self) -> Path:
        """Return the path of the report as Markdown."""
        return self.path / "report.md"

    @property
    def trials(self) -> Path:
        """Return the folder that holds one folder for each trial."""
        return self.path / "trials"

    @property
    def predictions(self) -> Path:
        """Return the folder of the predictions, which has one file for each job."""
        return self.path / "predictions"

    @property
    def slurm_logs(self) -> Path:
        """Return the folder of a Slurm job's logs. submitit fills in the job's number."""
        return self.path / "slurm" / "%j"

    def job(self, key: str) -> Path:
        """Return the path of a job's config."""
        return self.path / "jobs" / f"{key}.yaml"

    def prepared(self, job: str) -> Path:
        """Return the path of a job's `PreparedJob` record."""
        return self.path / "prepared" / job / "prepared.json"

    def predictions_of(self, job: str) -> Path:
        """Return the path of a job's predictions."""
        return self.predictions / f"{job}.json"

    def trial_folder(self, trial: str) -> Path:
        """Return the folder of the trial with this name."""
        return self.trials / trial

    def trial(self, trial: str) -> Path:
        """Return the path of a trial's result."""
        return self.trials / trial / "trial.json"

    def lost(self, trial: str) -> Path:
        """Return the path of the note that a cluster lost a trial. A result of the trial takes precedence."""
        return self.trials / trial / "lost.json"

    def node(self, unit: str) -> Path:
        """Return the path of the note that says which node of a cluster measures a unit."""
        return self.path / "nodes" / f"{unit}.json"

    def nodes(self) -> Iterator[Path]:
        """Return the paths of the notes of all units that a node has begun, sorted."""
        return iter(sorted((self.path / "nodes").glob("*.json")))

    def table(self, name: str) -> Path:
        """Return the path of a table."""
        return self.path / f"{name}.parquet"

    def write(self, path: Path, text: str) -> None:
        """Write a file of the sweep atomically. Its folder is made if it does not exist."""
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, text)

    def relative(self, path: Path) -> str:
        """Return a path relative to the sweep's folder."""
        return path.absolute().relative_to(self.path.absolute()).as_posix()
