"""Many real boxes in a row: one sweep of the tiny model in Docker, watched from outside for what it leaves behind."""

from __future__ import annotations

import math
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import docker
from runner.isolation.owner import owner_labels
from tests.load.command import start

_TRIALS_A_ROUND = 3  # the baseline first, the variant, the baseline last
_LOOK_SECONDS = 0.5
_MB = 2**20


@dataclass(frozen=True)
class Held:
    """What a sweep and the engine hold at one moment.

    Attributes:
        trials: measured so far.
        seconds: since the start.
        containers: of the sweep, running or not.
        files, threads, children, memory_mb: of the sweep's process; memory is what is resident. 0 after its end.
        temporary: files and folders in its TMPDIR and the store's staging folders, and unfinished files of the sweep.
        trial_kb: on disk, of the folders of the trials, per trial.
        engine_files, engine_threads, engine_mb: of dockerd.
        engine_folders: of containers and of layers, in the engine's own folder.
    """

    trials: int
    seconds: float
    containers: int
    files: int
    threads: int
    children: int
    memory_mb: float
    temporary: int
    trial_kb: float
    engine_files: int
    engine_threads: int
    engine_mb: float
    engine_folders: int


class ManyBoxes:
    """A sweep of at least so many trials, each in a box of its own; its files go below `place`, an empty folder."""

    def __init__(self, place: Path, trials: int) -> None:
        self._place, self._sweep = place, place / "sweep"
        self._rounds = math.ceil(trials / _TRIALS_A_ROUND)
        self._client = docker.from_env()
        self._engine = Path(str(self._client.info()["DockerRootDir"]))
        self._engine_pid = _pid_of("dockerd")

    def run(self, every: int) -> Iterator[Held]:
        """Run it; yield what is held at its first trial, then every so many trials, and when it has ended.

        Raises:
            RuntimeError: if it ends otherwise than well.
        """
        self._place.mkdir(parents=True)
        began, wanted = time.monotonic(), 1
        with (self._place / "log.txt").open("w+") as log:
            process = self._start(log)
            self._labels = [f"{name}={value}" for name, value in owner_labels(process.pid).items()]
            try:
                while process.poll() is None:
                    if self._done() >= wanted:
                        yield self._held(process.pid, time.monotonic() - began)
                        wanted = (self._done() // every + 1) * every
                    time.sleep(_LOOK_SECONDS)
            finally:
                process.terminate()
                process.wait()
            if process.returncode:
                log.seek(0)
                raise RuntimeError(log.read()[-2000:])
        yield self._held(None, time.monotonic() - began)

    def _start(self, log: IO[str]) -> subprocess.Popen[str]:
        settings = ["grid=smoke", "isolation=docker", "grid.union=[{technique: [onnx, onnx-int8]}]"]
        settings += ["grid.baseline=onnx", f"measure.rounds={self._rounds}", f"measure.max_rounds={self._rounds}"]
        settings += ["measure.timed_seconds=0.02", "measure.warmup_seconds=0", f"hydra.sweep.dir={self._sweep}"]
        return start(self._place, *settings, err=log)

    def _done(self) -> int:
        return sum(1 for _ in self._sweep.glob("trials/*/trial.json"))

    def _held(self, pid: int | None, seconds: float) -> Held:
        unfinished = [path for name in ("tmp", "store/work") for path in (self._place / name).glob("*")]
        unfinished += [path for path in _files(self._sweep / "trials") if path.match(".*.json.*")]
        engine = [*self._engine.glob("containers/*"), *self._engine.glob("overlay2/*")]
        trials = self._done()
        return Held(
            trials=trials,
            seconds=seconds,
            containers=len(
                self._client.containers.list(all=True, filters={"label": self._labels}, ignore_removed=True)
            ),
            files=_count(pid, "fd"),
            threads=_count(pid, "task"),
            children=_children(pid),
            memory_mb=_resident(pid) / _MB,
            temporary=len(unfinished),
            trial_kb=sum(map(_on_disk, _files(self._sweep / "trials"))) / trials / 1024,
            engine_files=_count(self._engine_pid, "fd"),
            engine_threads=_count(self._engine_pid, "task"),
            engine_mb=_resident(self._engine_pid) / _MB,
            engine_folders=len(engine),
        )


def _files(folder: Path) -> Iterator[Path]:
    """Return all files below a folder, less those of folders that vanish meanwhile."""
    return (Path(place) / name for place, _, names in os.walk(folder) for name in names)


def _on_disk(path: Path) -> int:
    """Return the bytes that a file takes on the disk; 0 if it is gone."""
    try:
        return path.lstat().st_blocks * 512
    except FileNotFoundError:
        return 0


def _count(pid: int | None, what: str) -> int:
    """Return how many open files ("fd") or threads ("task") a process has; 0 if it has ended or is not ours to see."""
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/{what}").iterdir())
    except OSError:
        return 0


def _resident(pid: int | None) -> int:
    """Return the resident memory of a process, in bytes."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _children(pid: int | None) -> int:
    try:
        return len(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    except OSError:
        return 0


def _pid_of(command: str) -> int | None:
    """Return the first process of that name; None if there is none that we can see."""
    for path in Path("/proc").glob("[0-9]*/comm"):
        try:
            if path.read_text().strip() == command:
                return int(path.parent.name)
        except OSError:
            continue
    return None
