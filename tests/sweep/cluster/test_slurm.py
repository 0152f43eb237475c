"""A sweep on a real Slurm with accounting and two nodes, both on this machine; `slurm.sh install` installs it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from tests.patience import PATIENCE_SECONDS, wait_until

ROOT = Path(__file__).parents[3]
_SCRIPT = Path(__file__).with_name("slurm.sh")
_MISSING = [name for name in ("slurmctld", "slurmd", "slurmdbd", "munged", "mariadbd") if not shutil.which(name)]
_WHY_NOT = (
    f"no Slurm on this machine ({', '.join(_MISSING)} missing): tests/sweep/cluster/slurm.sh install"
    if _MISSING
    else "the extra `cluster` is not installed: see docs/cluster.md"
    if not find_spec("submitit")
    else "Slurm's daemons need root"
    if os.getuid()
    else ""
)
pytestmark = [pytest.mark.slurm, pytest.mark.skipif(bool(_WHY_NOT), reason=_WHY_NOT)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[dict[str, str]]:
    """Return the environment in which Slurm's commands find the cluster."""
    folder = Path(tempfile.mkdtemp(prefix="pinbox-slurm-"))  # a socket's path must be short
    try:
        subprocess.run([_SCRIPT, "up", folder], check=True, timeout=PATIENCE_SECONDS)
        yield os.environ | {"SLURM_CONF": str(folder / "slurm.conf")}
    finally:
        subprocess.run([_SCRIPT, "down", folder], check=True, timeout=PATIENCE_SECONDS)
        shutil.rmtree(folder)


class Sweep:
    """The smoke grid on the cluster, in a folder of its own."""

    def __init__(self, cluster: dict[str, str], folder: Path, name: str = "sweep") -> None:
        self._cluster, self.folder, self._store = cluster, folder / name, folder / "store"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [
            *(sys.executable, "-m", "runner", "-m", "grid=smoke", "hydra/launcher=slurm", "isolation=process"),
            *(f"hydra.sweep.dir={self.folder}", f"store={self._store}", *arguments),
        ]
        return subprocess.Popen(command, cwd=ROOT, env=self._cluster, stderr=subprocess.PIPE, text=True)

    def slurm(self, *command: str) -> str:
        return subprocess.run(command, env=self._cluster, capture_output=True, text=True, check=True).stdout

    def results(self) -> pd.DataFrame:
        return pd.read_parquet(self.folder / "results.parquet")

    def files(self) -> dict[str, float]:
        return {path.parent.name: path.stat().st_mtime for path in self.folder.glob("trials/*/trial.json")}

    def plan(self) -> dict[str, list[dict[str, str]]]:
        return json.loads((self.folder / "plan.json").read_text())


def boxes_left(folder: Path) -> list[str]:
    """Return the processes that still work on a sweep in this folder: boxes, partners and their makers."""
    lines = [read(path).replace("\0", " ") for path in Path("/proc").glob("[0-9]*/cmdline")]
    return [line for line in lines if str(folder) in line]


def kill_job_of_round_2() -> None:
    """Kill a job's process and its boxes without a warning, as a failing node or the kernel would."""
    environments = {path.parent: read(path) for path in Path("/proc").glob("[0-9]*/environ")}
    own = [
        int(process.name)
        for process, variables in environments.items()
        if "SLURM_ARRAY_TASK_ID=2" in variables.split("\0") and "submitit.core._submit" in read(process / "cmdline")
    ]
    parents = {int(path.parent.name): read(path) for path in Path("/proc").glob("[0-9]*/stat")}
    boxes = [pid for pid, stat in parents.items() if stat and int(stat.rpartition(")")[2].split()[1]) in own]
    for pid in [*own, *boxes]:
        os.kill(pid, signal.SIGKILL)


def read(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:
        return ""  # the process has just ended


@pytest.fixture(scope="module")
def broken(cluster: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Sweep, int, str]:
    """Return a sweep of which a trial raised on its node, a round was cancelled and one was killed; its exit code; what
    it said."""
    sweep = Sweep(cluster, tmp_path_factory.mktemp("cluster"))
    process = sweep.start("measure.rounds=3")
    wait_until((sweep.folder / "plan.json").exists, "the plan")
    variant = next(trial["job"] for trial in sweep.plan()["trials"] if trial["role"] == "variant")
    (sweep.folder / "jobs" / f"{variant}.yaml").unlink()  # so its trials raise
    wait_until(lambda: any("-r1-" in name for name in sweep.files()), "a trial of round 1")
    jobs = sweep.slurm("squeue", "--noheader", "--array", "--format=%i").split()
    sweep.slurm("scancel", next(job for job in jobs if job.endswith("_1")))
    wait_until(lambda: any("-r2-" in name for name in sweep.files()), "a trial of round 2")
    kill_job_of_round_2()
    said = process.communicate(timeout=PATIENCE_SECONDS)[1]
    return sweep, process.returncode, said


def test_what_raised_was_cancelled_or_killed_is_a_row_with_a_reason(broken: tuple[Sweep, int, str]) -> None:
    sweep, code, said = broken
    assert code == 1, said
    results = sweep.results()
    assert len(results) == 3 * (4 + 1)
    lost = results[results.status == "lost"]
    raises = lost.error.str.contains("UserError")
    raised, (_, cancelled, killed) = lost[raises], (lost[~raises & (lost["round"] == number)] for number in range(3))
    assert raised.job.nunique() == 1
    assert 0 in set(raised["round"])
    assert raised.error.str.contains("Repeat the sweep's command").all()
    assert 0 < len(cancelled) < 5
    assert cancelled.error.str.contains("cancelled", case=False).all()  # by the job itself, or in Slurm's words
    assert 0 < len(killed) < 5
    assert killed.error.str.contains(r"on n[12]: the Slurm job \S+ ended as", regex=True).all()
    assert (sweep.folder / killed.iloc[0].log).exists()
    assert set(results[results.status != "lost"].status) == {"ok"}


def test_no_box_is_left(broken: tuple[Sweep, int, str]) -> None:
    sweep = broken[0]
    assert not boxes_left(sweep.folder)


def test_resume_runs_only_the_lost_ones_on_their_nodes(broken: tuple[Sweep, int, str]) -> None:
    sweep = broken[0]
    before, first = sweep.files(), sweep.results()
    process = sweep.start("measure.rounds=3")
    said = process.communicate(timeout=PATIENCE_SECONDS)[1]
    assert process.returncode == 0, said
    after, results = sweep.files(), sweep.results()
    assert {name: after[name] for name in before} == before
    assert len(after) - len(before) == (first.status == "lost").sum()
    assert set(results.status) == {"ok"}
    assert results.latency_ratio.notna().all()
    assert (results.groupby("round").node.nunique() == 1).all()
    assert set(results.node) == {"n1", "n2"}


def test_an_interrupted_command_takes_its_jobs_back(cluster: dict[str, str], broken: tuple[Sweep, int, str]) -> None:
    sweep = Sweep(cluster, broken[0].folder.parent, "interrupted")
    process = sweep.start()
    wait_until(lambda: list(sweep.folder.glob("nodes/*.json")), "a job that runs")
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=PATIENCE_SECONDS)[1]
    assert process.returncode == 130, said
    assert not sweep.slurm("squeue", "--noheader").strip()
    assert not boxes_left(sweep.folder)


def test_no_two_jobs_met_on_a_node(broken: tuple[Sweep, int, str]) -> None:
    lines = broken[0].slurm(
        *("sacct", "--noheader", "--parsable2", "--allocations", "--starttime=now-1hours"),
        "--format=NodeList,Start,End,JobName",
    )
    spans = [line.split("|") for line in lines.splitlines()]
    assert len(spans) >= 3
    assert all(name.startswith("pinbox-") for *_, name in spans)
    for node in ("n1", "n2"):
        own = sorted((start, end) for on, start, end, _ in spans if on == node)
        assert own
        assert all(end <= start for (_, end), (start, _) in pairwise(own))
