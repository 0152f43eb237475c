"""Files are cut off, changed or gone; disks are full or read-only."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.stops import killed_after_a_trial
from tests.faults.sweeps import SmallSweep


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
    sweep.folder.mkdir(parents=True)
    with disk(sweep.folder, "size=64k"):
        sweep.run()


def disk_full_while_an_artifact_is_written(sweep: SmallSweep) -> None:
    shutil.rmtree(sweep.store)
    sweep.store.mkdir()
    with disk(sweep.store, "size=128k"):  # the model alone has 300
        sweep.run()


def folder_read_only(sweep: SmallSweep) -> None:
    sweep.folder.mkdir(parents=True)
    with disk(sweep.folder, "size=64m"):
        process = sweep.start()
        sweep.until(lambda: len(sweep.trials()) == 2, process)
        while not _remounted_read_only(sweep.folder):  # refused for as long as anyone is writing
            time.sleep(0.001)
        sweep.end(process)


def clock_set_back(sweep: SmallSweep) -> None:
    killed_after_a_trial(sweep)
    future = time.time() + 86400
    for path in sweep.folder.rglob("*"):
        os.utime(path, (future, future))


@contextmanager
def disk(folder: Path, options: str) -> Iterator[None]:
    """Have a disk of its own in a folder; what is on it in the end stays in the folder."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "pinbox-fault", str(folder)], check=True)
    try:
        yield
        kept = shutil.copytree(folder, folder.with_name(f"{folder.name}.kept"))
    finally:
        subprocess.run(["umount", str(folder)], check=True)
    shutil.copytree(kept, folder, dirs_exist_ok=True)


def _remounted_read_only(folder: Path) -> bool:
    return not subprocess.run(["mount", "-o", "remount,ro", str(folder)], capture_output=True).returncode
