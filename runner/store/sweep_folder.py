"""Where things lie in a sweep's folder."""

from __future__ import annotations

from pathlib import Path

SCHEMA = 2  # version of the JSON files


def prepared_file(sweep: Path, job: str) -> Path:
    """Return where it is noted how a job's preparing went."""
    return sweep / "prepared" / job / "prepared.json"


def peaks_file(sweep: Path) -> Path:
    """Return where the machine's peaks lie, by the number of threads."""
    return sweep / "peaks.json"


def trial_file(sweep: Path, trial: str) -> Path:
    """Return where a trial's result lies, by the trial's name."""
    return sweep / "trials" / trial / "trial.json"


def lost_file(sweep: Path, trial: str) -> Path:
    """Return where it is noted that a cluster lost a trial; its own file, once there, counts instead."""
    return sweep / "trials" / trial / "lost.json"
