"""Pass the names of trials to a Hydra launcher as overrides, one for each trial.

A launcher decides where a trial runs. There, Hydra composes conf/config.yaml with this override only, and the trial
reads its job from the sweep's folder.
"""

from __future__ import annotations

from collections.abc import Sequence

from omegaconf import DictConfig

_KEY = "trial"  # hydra.sweep.subdir in conf/config.yaml refers to it


def override_of(trial: str) -> str:
    """Return the override that names a trial. No schema has its key, so no user can set it."""
    return f"+{_KEY}={trial}"


def trials_named(job_overrides: Sequence[Sequence[str]]) -> list[str]:
    """Return the names of the trials from a launcher's overrides; see `override_of`."""
    return [override.partition("=")[2] for (override,) in job_overrides]


def trial_asked(config: DictConfig) -> str | None:
    """Return the trial that a config names, or None outside a sweep."""
    name = config.get(_KEY)
    return None if name is None else str(name)
