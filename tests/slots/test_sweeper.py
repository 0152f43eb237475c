"""Where slots cannot be: refused before anything starts."""

from __future__ import annotations

from typing import Any

import pytest
from hydra._internal.core_plugins.basic_launcher import BasicLauncher

from hydra_plugins.pinbox_sweeper.sweeper import PinboxSweeper
from runner.config import Config
from runner.errors import UserError
from runner.plan import Job


def slots_of(launcher: Any, asked: Any, of_jobs: Any) -> Any:
    sweeper = PinboxSweeper(fresh=False, retry=None)
    sweeper.launcher = launcher
    return sweeper._slots(asked, [Job("job", (), Config(slots=of_jobs), {})])


def test_with_a_launcher_that_measures_elsewhere() -> None:
    assert slots_of(object(), 1, 1) == ([], None)
    with pytest.raises(UserError, match=r"slots is auto, but with this launcher .* Leave slots out\."):
        slots_of(object(), "auto", "auto")


def test_in_a_part_of_a_grid() -> None:
    with pytest.raises(UserError, match=r"grid\.union sets slots, but they are the whole sweep's"):
        slots_of(BasicLauncher(), 1, 2)
