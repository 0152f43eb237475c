"""The faults that `python -m tests.faults` causes in a real sweep, by name.

Each gets a sweep that has not begun, whose store is filled, causes its fault, and leaves the sweep as the fault left
it. What is checked afterwards is the same for all: the same command goes on, does only what is missing, and ends with
the undisturbed sweep's rows; nothing that a dead run left stays behind.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults import boxes, containers, engines, files, preparing, stops
from tests.faults.sweeps import SmallSweep


@dataclass(frozen=True)
class Fault:
    """A fault, and the boxes that it is caused in.

    Attributes:
        cause: causes it.
        kind: process, docker or engine: Docker boxes of an engine of our own, which is what breaks.
        without: the step whose result the store does not hold.
    """

    cause: Callable[[SmallSweep], None]
    kind: str
    without: str | None = None

    def why_not(self, no_engine: str | None) -> str | None:
        """Return why it cannot be caused here, None if it can.

        Args:
            no_engine: why there can be no engine of our own; see tests/faults/engine.py.
        """
        if self.kind != "process":
            return no_engine
        if self.cause in _OWN_DISK and os.getuid() != 0:
            return "they need root"
        if self.cause is boxes.clock_runs_backwards and not shutil.which("gcc"):
            return "gcc: not installed"
        return None


_OWN_DISK = (files.disk_full, files.disk_full_while_an_artifact_is_written, files.folder_read_only)
_PROCESS = (
    stops.killed_before_the_first_trial,
    stops.killed_during_a_trial,
    stops.killed_after_a_trial,
    stops.ctrl_c,
    stops.ctrl_c_twice,
    stops.terminated,
    stops.second_sweep_in_the_folder,
    stops.second_sweep_on_the_core,
    boxes.trial_killed_from_outside,
    boxes.engine_crashes,
    boxes.trial_hangs,
    boxes.core_goes_offline,
    boxes.clock_runs_backwards,
    boxes.every_third_of_200_jobs_fails,
    files.trial_file_truncated,
    files.preparing_s_note_truncated,
    files.artifact_truncated,
    files.store_removed,
    files.disk_full,
    files.disk_full_while_an_artifact_is_written,
    files.folder_read_only,
    files.clock_set_back,
)
_PREPARING = (
    preparing.step_raises,
    preparing.step_hangs,
    preparing.step_hangs_then_ctrl_c,
    preparing.step_writes_half_a_file,
    preparing.killed_while_a_step_writes,
    preparing.hub_download_interrupted,
    preparing.killed_while_the_hub_sends,
)
_DOCKER = (
    stops.killed_during_a_trial,
    stops.ctrl_c,
    stops.ctrl_c_twice,
    stops.second_sweep_on_the_core,
    boxes.core_goes_offline,
    preparing.step_hangs_then_ctrl_c,
    containers.container_killed,
    containers.container_removed,
    containers.container_hangs,
    containers.out_of_memory,
    containers.out_of_memory_in_a_child,
    containers.memory_bomb,
    containers.fork_bomb,
)
_ENGINE = (
    engines.engine_stopped,
    engines.engine_restarted,
    engines.engine_killed,
    engines.engine_killed_and_started,
    engines.image_removed,
    engines.engine_s_disk_full,
    engines.machine_reboots,
)


def _named(causes: tuple[Callable[[SmallSweep], None], ...], kind: str, where: str = "") -> dict[str, Fault]:
    return {
        cause.__name__.replace("_s_", "'s ").replace("_", " ") + where: Fault(
            cause, kind, preparing.STEP if cause.__module__ == preparing.__name__ else None
        )
        for cause in causes
    }


FAULTS: dict[str, Fault] = (
    _named((*_PROCESS, *_PREPARING), "process") | _named(_DOCKER, "docker", ", in Docker") | _named(_ENGINE, "engine")
)
