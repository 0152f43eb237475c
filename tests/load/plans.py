"""A grid of very many jobs through the command itself, which finds all trials but one done."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.load.command import start

_TECHNIQUES = (
    *("torch-eager", "torch-bf16", "torch-int8", "torchscript", "torchscript-bf16", "onnx", "onnx-fused", "onnx-int8"),
    *("onnx-int8-7bit", "onnx-int8-embeddings-float", "onnx-int8-per-channel", "onnx-int8-unsigned", "openvino"),
    *("onnx-weights-4bit", "onnx-weights-8bit", "openvino-int8-weights", "heads-25", "heads-50", "ffn-50"),
    "layers-half",
)
_BATCH_SIZES = range(1, 21)


@dataclass(frozen=True)
class Passed:
    """A stage of the command, in seconds since its start, and the CPU seconds of its process until then."""

    stage: str
    seconds: float
    cpu_seconds: float


class ManyJobs:
    """A sweep of at least so many jobs of the tiny model; its files go below `place`, an empty folder."""

    def __init__(self, place: Path, jobs: int) -> None:
        self._place = place
        lengths = -(-jobs // (len(_TECHNIQUES) * len(_BATCH_SIZES)))
        subgrid = f"technique: [{', '.join(_TECHNIQUES)}], workload.batch_size: {[*_BATCH_SIZES]}"
        self._grid = f"grid.union=[{{{subgrid}, workload.max_length: {[*range(8, 8 + lengths)]}}}]"

    def run(self) -> list[Passed]:
        """Plan, make up all trials but one, run the same command again, and return what that took."""
        self._place.mkdir(parents=True)
        example = self._example()
        self._until_planned()
        plan = json.loads((self._place / "sweep/plan.json").read_text())
        for job in plan["jobs"]:
            _write_prepared(self._place / "sweep", example, job)
        for trial in plan["trials"][:-1]:
            _write_trial(self._place / "sweep", example, trial)
        return self._timed()

    def _start(self, name: str, grid: str, *more: str, err: int) -> subprocess.Popen[str]:
        settings = ["grid=smoke", "isolation=process", "measure.rounds=1", f"hydra.sweep.dir={self._place / name}"]
        return start(self._place, *settings, grid, *more, err=err)

    def _example(self) -> Path:
        """Return a real sweep of one job: what the others are made from."""
        process = self._start("example", "grid.union=[{technique: [onnx]}]", "grid.baseline=onnx", err=subprocess.PIPE)
        _, said = process.communicate()
        if process.returncode:
            raise RuntimeError(f"The example ended with exit code {process.returncode}: {said}")
        return self._place / "example"

    def _until_planned(self) -> None:
        process = self._start("sweep", self._grid, err=subprocess.DEVNULL)
        while not (self._place / "sweep/plan.json").exists():
            if process.poll() is not None:
                raise RuntimeError(f"Planning ended with exit code {process.returncode}.")
            time.sleep(0.2)
        process.kill()  # before it prepares every job
        process.wait()

    def _timed(self) -> list[Passed]:
        began, before = time.monotonic(), _cpu_seconds_of_ended()
        process = self._start("sweep", self._grid, err=subprocess.PIPE)
        assert process.stderr
        passed = []
        for line in process.stderr:
            if stage := next((stage for stage, begins in _STAGES.items() if line.startswith(begins)), None):
                passed.append(Passed(stage, time.monotonic() - began, _cpu_seconds(process.pid)))
        if process.wait():
            raise RuntimeError(f"The sweep ended with exit code {process.returncode}.")
        used = _cpu_seconds_of_ended() - before
        return [*passed, Passed("ran, collected, reported", time.monotonic() - began, used)]


_STAGES = {"planned": "Sweep ", "found what is done": "["}  # by how the lines that end them start


def _write_prepared(sweep: Path, example: Path, job: dict[str, Any]) -> None:
    (ready,) = example.glob("prepared/*/prepared.json")
    (predictions,) = example.glob("predictions/*.json")
    own = {key: job[key] for key in ("model", "technique", "task", "workload")}
    _write(sweep / f"prepared/{job['job']}/prepared.json", ready, {})
    _write(sweep / f"predictions/{job['job']}.json", predictions, own | {"jobs": [job["job"]]})


def _write_trial(sweep: Path, example: Path, trial: dict[str, Any]) -> None:
    source = next(example.glob("trials/*/trial.json"))
    name = f"{trial['job']}-r{trial['round']}-{trial['role']}"
    _write(sweep / f"trials/{name}/trial.json", source, trial)


def _write(path: Path, example: Path, changes: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(json.loads(example.read_text()) | changes))


def _cpu_seconds_of_ended() -> float:
    """Return the CPU time of all ended processes that we, or they, started."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
