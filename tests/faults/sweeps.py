"""A small real sweep that faults are caused in: two techniques of the tiny model, two rounds, either kind of box."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from docker.models.containers import Container

import docker
from runner.isolation.docker import MANAGED, connect
from tests.faults.engine import OwnEngine

ROOT = Path(__file__).parents[2]
GRID = ("grid.union=[{technique: [onnx, onnx-int8]}]",)
KEYS = ["job", "round", "role"]
TRIALS = 6
_LIMITS = ("isolation.timeout_seconds=40", "isolation.memory=512MiB")
_SECONDS = 1800
_LOOK_SECONDS = 0.05


@dataclass
class SmallSweep:
    """One sweep in its folder.

    Attributes:
        store: of artifacts; with one that was filled before, nothing is prepared.
        kind: of the boxes, process or docker.
        engine: of our own, for Docker boxes; None takes the machine's.
        grid: what is swept.
        code: whose copy of Pinbox runs; see tests/faults/misbehaving.py.
        environment: added to that of the runner.
        prefix: a command that runs the runner.
        codes, said: the exit code and the output of every run so far.
    """

    folder: Path
    store: Path
    kind: str = "process"
    engine: OwnEngine | None = None
    grid: tuple[str, ...] = GRID
    code: Path = ROOT
    environment: dict[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()
    codes: list[int] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start it, or go on with it."""
        command = [
            *self.prefix,
            sys.executable,
            "-m",
            "runner",
            "-m",
            "grid=smoke",
            f"isolation={self.kind}",
            *_LIMITS,
            *self.grid,
        ]
        command += ["grid.baseline=onnx", f"hydra.sweep.dir={self.folder}", f"store={self.store}"]
        command += [f"downloads={self.store.with_name('downloads')}", *arguments]
        host = {"DOCKER_HOST": self.engine.host} if self.engine else {}
        return subprocess.Popen(
            command,
            cwd=self.code,
            env=os.environ | host | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def end(self, process: subprocess.Popen[str]) -> str:
        """Wait for it, and return what it printed."""
        said, _ = process.communicate(timeout=_SECONDS)
        self.codes.append(process.returncode)
        self.said.append(said)
        return said

    def run(self, *arguments: str) -> str:
        return self.end(self.start(*arguments))

    def trials(self) -> dict[str, dict[str, Any]]:
        """Return each trial's file that is whole, by its folder's name, and when it was written, in ns."""
        found = {}
        for path in self.folder.glob("trials/*/trial.json"):
            try:
                found[path.parent.name] = json.loads(path.read_text()) | {"written": path.stat().st_mtime_ns}
            except ValueError:
                pass  # cut off: that is the fault
        return found

    def results(self) -> pd.DataFrame:
        """Return its table; an empty one if it never came to that."""
        path = self.folder / "results.parquet"
        return pd.read_parquet(path) if path.exists() else pd.DataFrame(columns=[*KEYS, "status"])

    def keys(self) -> list[tuple[object, ...]]:
        """Return the keys of all rows, in order; one that is there twice is there twice."""
        return sorted(self.results()[KEYS].itertuples(index=False, name=None))

    def left(self) -> list[str]:
        """Return what nobody needs any more and nobody removed: boxes, and unfinished files."""
        files = [*self.store.glob("work/*"), *self.folder.glob("trials/partner-*"), *self.folder.rglob(".*.json.*")]
        return [str(path) for path in files] + [str(container.short_id) for container in self.containers()]

    def until(self, condition: Callable[[], Any], process: subprocess.Popen[str]) -> bool:
        """Wait until something holds; False if the sweep ended before."""
        while not condition():
            if process.poll() is not None:
                return False
            time.sleep(_LOOK_SECONDS)
        return True

    def box(self, module: str = "runner.trial") -> int | None:
        """Return the process, in a process box, of the trial (or step) that runs; None if there is none."""
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                command = path.read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if re.search(rf"{re.escape(module)} ", command) and str(self.store.parent) in command:
                return int(path.parent.name)
        return None

    def container(self) -> Container | None:
        """Return the container of the trial that is being measured, None if there is none."""
        found = (container for container in self.containers() if "runner.trial" in container.attrs["Args"])
        return next((container for container in found if container.status == "running"), None)

    @cached_property
    def _client(self) -> docker.DockerClient:
        client = self.engine.client() if self.engine else connect()
        assert client is not None, "no Docker engine answers"
        return client

    def containers(self) -> list[Container]:
        """Return all containers of this sweep, whatever their state."""
        if self.kind != "docker":
            return []
        found = self._client.containers.list(all=True, filters={"label": f"{MANAGED}=1"}, ignore_removed=True)
        return [container for container in found if str(self.store.parent) in str(container.attrs["Mounts"])]


def filled(sweep: SmallSweep, store: Path, without: str | None = None) -> SmallSweep:
    """Give a sweep a copy of a store.

    Args:
        without: the result of this step is left out, so that it is made anew.
    """
    shutil.copytree(store, sweep.store)
    for path in sweep.store.glob("recipes/*.json"):
        if without and json.loads(path.read_text())["recipe"].get("step") == without:
            path.unlink()
    return sweep


def kill(process: subprocess.Popen[str], number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to the runner alone, as `kill` does."""
    os.kill(process.pid, number)
