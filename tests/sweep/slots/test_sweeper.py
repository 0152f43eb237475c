"""Where slots cannot be: refused before anything starts."""

from __future__ import annotations

from typing import Any

import pytest

from hydra_plugins.pinbox_sweeper import sweeper
from runner.config.schema import Config
from runner.errors import UserError
from runner.sweep.jobs import Job


def slots_of(launcher: Any, asked: Any, of_jobs: Any) -> Any:
    # Hydra imports its own plugins anew, with other classes, so that their __init__ may not take ours.
    made = sweeper.PinboxSweeper.__new__(sweeper.PinboxSweeper)
    made.launcher = launcher
    return made._slots(asked, [Job("job", Config(slots=of_jobs), {})])


def test_with_a_launcher_that_measures_elsewhere() -> None:
    assert slots_of(object(), 1, 1) == ([], None)
    with pytest.raises(UserError, match=r"slots is auto, but with this launcher .* Leave slots out\."):
        slots_of(object(), "auto", "auto")


def test_in_a_part_of_a_grid() -> None:
    with pytest.raises(UserError, match=r"grid\.union sets slots, but slots apply to the whole sweep"):
        slots_of(object.__new__(sweeper.BasicLauncher), 1, 2)
