"""LAUNCHER=slurm where it cannot work says what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.config import messages
from runner.errors import UserError
from runner.sweep.cluster import slurm


def test_without_hydra_s_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'pinbox\[cluster\]'"):
        messages.check_overrides(["grid=smoke", "hydra/launcher=slurm"])


def test_without_slurm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="no `sinfo` here"):
        slurm.check("pinbox-1")


COMMANDS = {"sinfo": "echo 2", "sacct": "true", "squeue": "true"}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"sinfo": "echo 'Unable to contact slurm controller' >&2; exit 1"}, "Unable to contact slurm controller"),
        ({"sacct": "echo 'Slurm accounting storage is disabled' >&2; exit 1"}, "needs Slurm's accounting"),
        ({"squeue": "echo 7_1"}, "still has jobs of this sweep: 7_1"),
        ({}, None),
    ],
)
def test_a_slurm_that_cannot_be_used(
    changed: dict[str, str], said: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, script in (COMMANDS | changed).items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    if said is None:
        slurm.check("pinbox-1")
        return
    with pytest.raises(UserError, match=said):
        slurm.check("pinbox-1")
