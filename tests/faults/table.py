"""The faults that `make faults` causes in a real sweep, one function each.

Each gets a sweep that has not begun, causes its fault, and leaves the sweep as the fault left it. What is checked
afterwards is the same for all: the same command goes on, does only what is missing, and ends with the undisturbed
sweep's rows.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.sweeps import SmallSweep, kill

Fault = Callable[[SmallSweep], None]


def killed_before_the_first_trial(sweep: SmallSweep) -> None:
    process = sweep.start()
    sweep.until((sweep.folder / "plan.json").exists, process)
    kill(process)
    sweep.end(process)


def killed_during_a_trial(sweep: SmallSweep) -> None:
    process = sweep.start()
    sweep.until(lambda: sweep.box() is not None, process)
    kill(process)
    sweep.end(process)


def killed_after_a_trial(sweep: SmallSweep) -> None:
    process = sweep.start()
    sweep.until(lambda: len(sweep.trials()) == 2, process)
    kill(process)
    sweep.end(process)


def ctrl_c(sweep: SmallSweep) -> None:
    _signalled(sweep, signal.SIGINT)


def ctrl_c_twice(sweep: SmallSweep) -> None:
    _signalled(sweep, signal.SIGINT, signal.SIGINT)


def terminated(sweep: SmallSweep) -> None:
    _signalled(sweep, signal.SIGTERM)


def trial_killed_from_outside(sweep: SmallSweep) -> None:
    process = sweep.start()
    sweep.until(lambda: sweep.box() is not None, process)
    os.kill(sweep.box() or 0, signal.SIGKILL)
    sweep.end(process)


def engine_crashes(sweep: SmallSweep) -> None:
    process = sweep.start()
    sweep.until(lambda: sweep.box() is not None, process)
    os.kill(sweep.box() or 0, signal.SIGSEGV)
    sweep.end(process)


def trial_hangs(sweep: SmallSweep) -> None:
    process = sweep.start()
    sweep.until(lambda: sweep.box() is not None, process)
    os.kill(sweep.box() or 0, signal.SIGSTOP)
    sweep.end(process)


def trial_file_truncated(sweep: SmallSweep) -> None:
    sweep.run()
    path = next(sweep.folder.glob("trials/*/trial.json"))
    path.write_bytes(path.read_bytes()[:100])


def preparing_s_note_truncated(sweep: SmallSweep) -> None:
    sweep.run()
    path = next(sweep.folder.glob("prepared/*/prepared.json"))
    path.write_bytes(path.read_bytes()[:-1])


def artifact_truncated(sweep: SmallSweep) -> None:
    killed_after_a_trial(sweep)
    for path in sweep.store.glob("contents/*/model.onnx"):
        with path.open("r+b") as file:
            file.truncate(100)


def store_removed(sweep: SmallSweep) -> None:
    killed_after_a_trial(sweep)
    shutil.rmtree(sweep.store)


def disk_full(sweep: SmallSweep) -> None:
    with _disk(sweep.folder, "size=64k"):
        sweep.run()


def folder_read_only(sweep: SmallSweep) -> None:
    with _disk(sweep.folder, "size=64m"):
        process = sweep.start()
        sweep.until(lambda: len(sweep.trials()) == 2, process)
        while not _remounted_read_only(sweep.folder):  # refused for as long as anyone is writing
            time.sleep(0.001)
        sweep.end(process)


def second_sweep_in_the_folder(sweep: SmallSweep) -> None:
    first = sweep.start()
    sweep.until(lambda: len(sweep.trials()) == 1, first)
    sweep.run()
    sweep.end(first)


def second_sweep_on_the_core(sweep: SmallSweep) -> None:
    other = SmallSweep(sweep.folder.with_name("other"), sweep.store)
    first, second = sweep.start(), other.start()
    other.end(second)
    sweep.end(first)
    assert other.codes == [0]


def clock_set_back(sweep: SmallSweep) -> None:
    killed_after_a_trial(sweep)
    future = time.time() + 86400
    for path in sweep.folder.rglob("*"):
        os.utime(path, (future, future))


def killed_at_random(sweep: SmallSweep, chance: random.Random, seconds: float) -> int:
    """Kill it up to three times, each time at a moment within `seconds`; return how often it was not over before."""
    for _ in range(3):
        process = sweep.start()
        try:
            process.wait(chance.uniform(0, seconds))
        except subprocess.TimeoutExpired:
            kill(process)
        sweep.end(process)
        if sweep.codes[-1] != -signal.SIGKILL:
            break
    return sweep.codes.count(-signal.SIGKILL)


FAULTS: dict[str, Fault] = {
    function.__name__.replace("_s_", "'s ").replace("_", " "): function
    for function in (
        killed_before_the_first_trial,
        killed_during_a_trial,
        killed_after_a_trial,
        ctrl_c,
        ctrl_c_twice,
        terminated,
        trial_killed_from_outside,
        engine_crashes,
        trial_hangs,
        trial_file_truncated,
        preparing_s_note_truncated,
        artifact_truncated,
        store_removed,
        disk_full,
        folder_read_only,
        second_sweep_in_the_folder,
        second_sweep_on_the_core,
        clock_set_back,
    )
}


def _signalled(sweep: SmallSweep, *numbers: signal.Signals) -> None:
    process = sweep.start()
    sweep.until(lambda: bool(sweep.trials()) and sweep.box() is not None, process)
    for number in numbers:
        kill(process, number)
        time.sleep(0.2)
    sweep.end(process)


@contextmanager
def _disk(folder: Path, options: str) -> Iterator[None]:
    """Have a disk of its own in a folder; what is on it in the end stays in the folder."""
    folder.mkdir(parents=True)
    _mount("-t", "tmpfs", "-o", options, "pinbox-fault", str(folder))
    try:
        yield
        kept = shutil.copytree(folder, folder.with_name(f"{folder.name}.kept"))
    finally:
        subprocess.run(["umount", str(folder)], check=True)
    shutil.copytree(kept, folder, dirs_exist_ok=True)


def _remounted_read_only(folder: Path) -> bool:
    return not subprocess.run(["mount", "-o", "remount,ro", str(folder)], capture_output=True).returncode


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)
