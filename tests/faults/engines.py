"""The Docker engine itself stops, crashes, loses the image, has a full disk: only ever one of our own."""

from __future__ import annotations

import signal
import subprocess
import sys

from tests.faults.engine import OwnEngine
from tests.faults.stops import killed_after_a_trial
from tests.faults.sweeps import SmallSweep, kill

_ANOTHER_BOOT = """
import os, subprocess, sys
from pathlib import Path
boot = Path(sys.argv[1])
boot.write_text("00000000-0000-4000-8000-000000000000")
subprocess.run(["mount", "--bind", boot, "/proc/sys/kernel/random/boot_id"], check=True)
os.execvp(sys.argv[2], sys.argv[2:])
"""


def engine_stopped(sweep: SmallSweep) -> None:
    engine, process = _during_a_trial(sweep)
    engine.stop()
    sweep.end(process)
    engine.start()


def engine_restarted(sweep: SmallSweep) -> None:
    engine, process = _during_a_trial(sweep)
    engine.stop()
    engine.start()
    sweep.end(process)


def engine_killed(sweep: SmallSweep) -> None:
    engine, process = _during_a_trial(sweep)
    engine.stop(signal.SIGKILL)
    sweep.end(process)
    engine.start()


def engine_killed_and_started(sweep: SmallSweep) -> None:
    engine, process = _during_a_trial(sweep)
    engine.stop(signal.SIGKILL)
    engine.start()
    sweep.end(process)


def image_removed(sweep: SmallSweep) -> None:
    """Between two runs' trials: the engine gives no image away that a box is running."""
    killed_after_a_trial(sweep)
    engine, plan = _need(sweep), sweep.folder / "plan.json"
    planned = plan.stat().st_mtime_ns
    process = sweep.start()
    sweep.until(lambda: plan.stat().st_mtime_ns != planned, process)
    with engine.without_image():
        sweep.end(process)


def engine_s_disk_full(sweep: SmallSweep) -> None:
    engine, process = _during_a_trial(sweep)
    with engine.full_disk():
        sweep.end(process)


def machine_reboots(sweep: SmallSweep) -> None:
    """Runner, boxes and engine die at once, and the machine's boot has another name afterwards."""
    sweep.prefix = ("unshare", "--mount", sys.executable, "-c", _ANOTHER_BOOT, str(sweep.store.with_name("boot-id")))
    engine, process = _during_a_trial(sweep)
    kill(process)
    engine.power_off()
    sweep.end(process)
    sweep.prefix = ()
    engine.start()
    assert sweep.left(), "a reboot leaves containers"


def _need(sweep: SmallSweep) -> OwnEngine:
    assert sweep.engine, "the machine's own engine is left alone"
    return sweep.engine


def _during_a_trial(sweep: SmallSweep) -> tuple[OwnEngine, subprocess.Popen[str]]:
    engine, process = _need(sweep), sweep.start()
    sweep.until(lambda: sweep.trials() and sweep.container(), process)
    return engine, process
