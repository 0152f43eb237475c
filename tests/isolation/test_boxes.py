"""Both kinds of box are tested by what a probe sees and does inside them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import requests
from docker.errors import APIError

from runner.errors import MachineError
from runner.isolation import box as box_module
from runner.isolation import docker as docker_box_module
from runner.isolation.box import Box, BoxEnd, BoxOrder
from runner.isolation.docker import MANAGED, DockerBox, connect, remove_orphans
from runner.machine.topology import choose_cpus
from tests.patience import PATIENCE_SECONDS, wait_until

ROOT = Path(__file__).parents[2]
PROBE = Path(__file__).parent / "probe" / "runner"


@pytest.fixture(autouse=True)
def _probe_instead_of_our_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.isolation.docker.CODE", PROBE)
    monkeypatch.setattr("runner.isolation.process.CODE", PROBE)


def run(
    box: Box,
    folder: Path,
    action: str,
    timeout_seconds: float = PATIENCE_SECONDS,
    cpus: list[int] | None = None,
    quota_cpus: float | None = None,
    **request: Any,
) -> tuple[BoxEnd, Any]:
    """Run an action of the probe, and return how the box ended and what the probe saw."""
    (folder / "artifact").mkdir()
    shutil.copy(ROOT / "runner/trial/cgroup.py", folder / "artifact")
    output = folder / "output"
    output.mkdir()
    order = BoxOrder(
        module="runner.probe",
        request={"action": action} | request,
        inputs={"artifact": folder / "artifact"},
        output=output,
        cpus=cpus or choose_cpus(1),
        memory_bytes=box.memory_limit(256 << 20),
        quota_cpus=quota_cpus,
        pids=64,
        timeout_seconds=timeout_seconds,
    )
    end = box.run(order)
    seen = output / "seen.json"
    return end, json.loads(seen.read_text()) if seen.exists() else None


def ours_left() -> int:
    client = connect()
    assert client is not None
    mine = f"org.pinbox.pid={os.getpid()}"
    return len(client.containers.list(all=True, filters={"label": [f"{MANAGED}=1", mine]}, ignore_removed=True))


def test_a_box_gives_exactly_what_was_asked(box: Box, tmp_path: Path) -> None:
    end, seen = run(box, tmp_path, "look")
    assert end.exit_code == 0, end.log
    assert seen["cpus"] == choose_cpus(1)
    assert seen["output"] == "ok"
    assert seen["environment"]["OMP_NUM_THREADS"] == "1"
    assert "SECRET" not in seen["environment"]


@pytest.mark.docker
def test_a_container_is_closed(docker_box: DockerBox, tmp_path: Path) -> None:
    _, seen = run(docker_box, tmp_path, "look")
    assert seen["network"] != "open"
    assert seen["root"] == "Read-only file system"
    assert seen["input"] == "Read-only file system"
    assert seen["uid"] not in (0, None)
    assert ours_left() == 0


@pytest.mark.docker
def test_a_container_s_processes_are_limited(docker_box: DockerBox, tmp_path: Path) -> None:
    _, forked = run(docker_box, tmp_path, "forks")
    assert forked < 64


@pytest.mark.docker
def test_too_much_memory_ends_a_container(docker_box: DockerBox, tmp_path: Path) -> None:
    end, seen = run(docker_box, tmp_path, "memory", bytes=512 << 20)
    assert seen is None
    assert end.out_of_memory
    assert "isolation.memory" in end.reason()


@pytest.mark.docker
def test_a_child_that_takes_too_much_memory_is_seen_although_the_box_ends_well(
    docker_box: DockerBox, tmp_path: Path
) -> None:
    end, seen = run(docker_box, tmp_path, "child's memory", bytes=512 << 20)
    assert (end.exit_code, seen) == (0, -signal.SIGKILL)
    assert end.out_of_memory


@pytest.mark.docker
def test_a_container_reads_its_own_limits(docker_box: DockerBox, tmp_path: Path) -> None:
    end, seen = run(docker_box, tmp_path, "groups", seconds=0.1)
    assert end.exit_code == 0, end.log
    assert seen["version"] in (1, 2)
    assert seen["memory_limit_bytes"] == 256 << 20
    assert 1 << 20 < seen["memory_peak_bytes"] <= 256 << 20
    assert seen["quota_cpus"] is None


@pytest.mark.docker
def test_a_container_with_a_quota_is_throttled(docker_box: DockerBox, tmp_path: Path) -> None:
    end, seen = run(docker_box, tmp_path, "groups", quota_cpus=0.25, seconds=2.0)
    assert end.exit_code == 0, end.log
    assert seen["quota_cpus"] == 0.25
    periods, throttled_periods, throttled_seconds = seen["throttling"]
    assert 0 < throttled_periods <= periods
    assert throttled_seconds > 0.5
    assert seen["cpu_share"] < 0.35


def test_a_hanging_box_is_killed(box: Box, tmp_path: Path) -> None:
    for timeout_seconds in (2, 10, 60, 300):  # on a busy machine, the probe may take long to print something
        end, _ = run(box, tmp_path, "hang", timeout_seconds=timeout_seconds)
        assert end.timed_out
        assert "isolation.timeout_seconds" in end.reason()
        if "going to sleep" in end.log:
            break
    assert "going to sleep" in end.log


def test_a_box_that_a_stopped_sweep_still_begins_ends_at_once(
    box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(box_module, "_stopping", threading.Event())
    box_module.stop_all()
    end, _ = run(box, tmp_path, "hang")
    assert end.exit_code != 0
    assert not end.timed_out


def test_a_core_that_is_not_there_stops_the_sweep(box: Box, tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="CPU 1023 any more: it went offline"):
        run(box, tmp_path, "look", cpus=[1023])
    assert box.kind == "process" or ours_left() == 0


def test_a_failing_box_says_why(box: Box, tmp_path: Path) -> None:
    end, _ = run(box, tmp_path, "fail")
    assert end.exit_code == 3
    assert end.reason() == "ended with exit code 3: ValueError: it is broken"


def test_what_is_wrong_with_the_input_is_told_without_the_name_of_our_error() -> None:
    end = BoxEnd(1, False, False, "Traceback …\nrunner.errors.UserError: the labels differ")
    assert end.reason() == "ended with exit code 1: the labels differ"


def test_a_crashing_box_is_noticed(box: Box, tmp_path: Path) -> None:
    end, seen = run(box, tmp_path, "crash")
    assert end.exit_code != 0
    assert seen is None


NODE_S_JOB = """
import sys; from pathlib import Path
from runner.sweep.cluster.node import run_unit
from runner.sweep.cluster.units import Unit
from runner.results.records.plan import Role, TrialSpec
from runner.store.sweep_folder import SweepFolder
from runner.isolation import docker, process
from tests.isolation.test_boxes import PROBE, run
docker.CODE = process.CODE = PROBE
box = process.ProcessBox() if sys.argv[1] == "process" else docker.DockerBox(docker.connect())
unit = Unit("a-r0", [TrialSpec("a", 0, 0, Role.variant, None)])
print(run_unit(unit, SweepFolder(Path(sys.argv[2])), lambda *_: run(box, Path(sys.argv[2]), "hang")))
"""


def test_no_box_is_left_when_a_cluster_cancels_its_job(box: Box, tmp_path: Path) -> None:
    command = [sys.executable, "-c", NODE_S_JOB, box.kind, str(tmp_path)]
    node = os.environ | {"SLURMD_NODENAME": "n1"}
    with subprocess.Popen(command, cwd=ROOT, env=node, stdout=subprocess.PIPE, text=True) as job:
        try:
            wait_until(lambda: job.poll() is not None or boxes_of(job.pid, box.kind), "a box")
            assert job.poll() is None
            job.terminate()
            output, _ = job.communicate(timeout=PATIENCE_SECONDS)
        finally:
            job.kill()  # or leaving the block would wait for a box that hangs
    assert "a-r0-variant" in output
    assert "cancelled" in output
    wait_until(lambda: not boxes_of(job.pid, box.kind), "the end of all boxes")  # the engine may still be removing it


def boxes_of(job: int, kind: str) -> list[str]:
    """Return the boxes that a process runs: containers labelled with it, or processes that hang as the probe does."""
    if kind == "docker":
        client = connect()
        assert client is not None
        ours = {"label": [f"{MANAGED}=1", f"org.pinbox.pid={job}"]}
        return [container.id for container in client.containers.list(all=True, filters=ours, ignore_removed=True)]
    return [
        str(pid) for pid in Path("/proc").glob("[0-9]*") if f"{job}" in parent(pid) and "probe" in command_line(pid)
    ]


def parent(process: Path) -> list[str]:
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[1:2]
    except OSError:
        return []  # it has just ended


def command_line(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""  # it has just ended


def test_a_container_that_somebody_else_is_removing_is_left_to_them() -> None:
    response = requests.Response()
    response.status_code = 409
    engine = Mock()
    engine.api.remove_container.side_effect = APIError("removal of container 0123 is already in progress", response)
    docker_box_module._remove(engine, "0123")
    engine.api.remove_container.assert_called_once()


@pytest.mark.parametrize(
    ("answers", "error", "message"),
    [
        (False, requests.ConnectionError("Connection aborted."), "does not answer any more"),
        (True, requests.ConnectionError("Connection aborted."), "was restarted"),
        (True, requests.ConnectionError("Read timed out."), None),
        (True, APIError("", explanation="Requested CPUs are not available"), "No box may run on CPU 7"),
        (True, APIError("", explanation="mkdir /x: no space left on device"), "no room on its disk"),
        (True, APIError("", explanation="invalid mount"), None),
    ],
)
def test_what_is_the_engine_s_fault_is_no_trial_s(
    answers: bool, error: Exception, message: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker_box_module, "connect", lambda: object() if answers else None)
    machine_error = docker_box_module._machine_error(error, BoxOrder("m", {}, {}, tmp_path, [7]))
    assert (message is None) == (machine_error is None)
    assert (message or "") in str(machine_error)


@pytest.mark.docker
def test_only_dead_owners_containers_are_removed(docker_box: DockerBox) -> None:
    client = connect()
    assert client is not None
    made_by_another = (
        "import sys; from runner.isolation.docker import *; from runner.isolation.owner import owner_labels; "
        "c = connect().containers.create(sys.argv[1], ['true'], labels={MANAGED: '1'} | owner_labels()); print(c.id)"
    )
    command = [sys.executable, "-c", made_by_another, str(docker_box.image_id)]
    orphan = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ).stdout.strip()
    from runner.isolation.owner import owner_labels

    living = client.containers.create(docker_box.image_id, ["true"], labels={MANAGED: "1"} | owner_labels())
    stranger = client.containers.create(docker_box.image_id, ["true"])
    try:
        assert remove_orphans(client) >= 1, "tests that kill a sweep leave orphans as well"
        left = {container.id for container in client.containers.list(all=True, ignore_removed=True)}
        assert orphan not in left
        assert {living.id, stranger.id} <= left
    finally:
        living.remove()
        stranger.remove()
