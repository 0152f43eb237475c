"""Services with real workers, real pipes and the real LoadGen: what a probe says, and what is left after a fault."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import docker
from runner.isolation.docker import DockerBox
from runner.isolation.owner import owner_labels
from runner.results.records.load import Probe
from runner.sweep.load.service import Service, ServiceFailedError
from tests.patience import PATIENCE_SECONDS, wait_until
from tests.sweep.load import served
from tests.sweep.load.served import load, serve

pytest.importorskip("mlperf_loadgen", reason="LoadGen has no wheel for this Python or machine")
ROOT = Path(__file__).parents[3]


def loadgen_says(service: Service, name: str) -> float:
    """Return a figure of LoadGen's own summary of the last probe."""
    (path,) = service.folder.glob("*/mlperf_log_summary.txt")
    found = re.search(rf"^{re.escape(name)} *: ([\d.]+)$", path.read_text(), re.MULTILINE)
    assert found, path.read_text()
    return float(found[1])


def arrivals(service: Service) -> list[float]:
    """Return when the requests of the last probe arrived according to LoadGen's trace, in seconds after the first."""
    (trace,) = service.folder.glob("*/mlperf_log_trace.json")
    found = re.findall(r'^{"name":"Sample".*"ph":"b".*"ts":([\d.]+),', trace.read_text(), re.MULTILINE)
    micros = sorted(map(float, found))
    return [(number - micros[0]) / 1e6 for number in micros]


def left(service: Service) -> list[object]:
    """Return what is left of a service: its processes and its folder."""
    return [*served.processes(service.folder), *service.folder.parent.iterdir()]


def test_a_probe_tells_how_requests_were_answered(tmp_path: Path) -> None:
    with serve(tmp_path, load()) as service:
        probe = service.probe(20, seed=1, seconds=1)
    assert (probe.scenario, probe.seed, probe.asked_per_second) == ("server", 1, 20)
    assert (probe.queries, probe.completed, probe.rejected) == (20, 20, 0)
    assert probe.scheduled_per_second == pytest.approx(20, rel=0.001)
    assert 0.02 <= (probe.latency_p50_seconds or 0) <= (probe.latency_p90_seconds or 0)
    assert (probe.latency_p90_seconds or 0) <= (probe.latency_p99_seconds or 0) <= (probe.latency_p999_seconds or 0)
    assert probe.slo_latency_seconds == probe.latency_p99_seconds
    assert probe.holds is ((probe.slo_latency_seconds or 0) <= 1)
    assert probe.mean_batch == 1
    assert 0 <= (probe.mean_queue or 0) <= (probe.max_queue or 0) < 20
    assert 0 < (probe.service_cpu_seconds or 0) < (probe.seconds or 0)
    assert (probe.service_waiting_seconds or 0) >= 0
    assert (probe.generator_cpu_seconds or 0) > 0
    assert (probe.generator_late_seconds or -1) >= 0
    assert left(service) == []


def test_an_objective_that_cannot_be_kept_is_missed(tmp_path: Path) -> None:
    with serve(tmp_path, load(milliseconds=19)) as service:
        assert service.probe(5, seed=1, seconds=1).holds is False


def test_offline_finds_the_throughput_of_full_batches(tmp_path: Path) -> None:
    with serve(tmp_path, load(size=4), seconds=0.05) as service:
        probe = service.offline(0.8)
    assert (probe.scenario, probe.asked_per_second, probe.holds) == ("offline", None, None)
    assert probe.mean_batch == pytest.approx(4, rel=0.1)
    assert 0 < (probe.completed_per_second or 0) <= 4 / 0.05
    assert (probe.seconds or 0) > 0.4


def test_workers_share_the_queue(tmp_path: Path) -> None:
    with serve(tmp_path, load(workers=2), seconds=0.05) as service:
        both = service.offline(0.5)
        assert len(served.workers(service)) == 2
    assert 1 / 0.05 < (both.completed_per_second or 0) <= 2 / 0.05
    assert len(served.started(tmp_path)) == 2


def test_a_worker_waits_for_further_requests(tmp_path: Path) -> None:
    with serve(tmp_path, load(size=8, wait_milliseconds=100), seconds=0.001) as service:
        waits = service.probe(50, seed=3, seconds=1)
    assert (waits.mean_batch or 0) > 2
    assert (waits.latency_p50_seconds or 0) > 0.02


@pytest.mark.slow
def test_a_full_queue_rejects_and_rejected_requests_miss_the_objective(tmp_path: Path) -> None:
    with serve(tmp_path, load(queue=2), seconds=0.1) as service:
        probe = service.probe(100, seed=1, seconds=0.5)
        after = service.probe(5, seed=1, seconds=0.4)
    assert probe.queries == 50
    assert (probe.rejected or 0) > 25
    assert (probe.completed or 0) + (probe.rejected or 0) == 50
    assert (probe.max_queue or 0) <= 2
    assert (probe.slo_latency_seconds, probe.holds) == (None, False)
    assert (probe.latency_p999_seconds or 0) > 0  # of those that were answered
    assert (after.queries, after.rejected) == (2, 0)


@pytest.mark.slow
def test_a_seed_fixes_the_arrivals_and_the_texts(tmp_path: Path) -> None:
    def texts_and_arrivals(seed: int, place: Path) -> tuple[list[list[int]], list[float]]:
        place.mkdir()
        with serve(place, load(), seconds=0.001) as service:
            service.probe(100, seed=seed, seconds=0.3)
            return [call["texts"] for call in served.calls(place)], arrivals(service)

    first, again = texts_and_arrivals(7, tmp_path / "first"), texts_and_arrivals(7, tmp_path / "again")
    other = texts_and_arrivals(8, tmp_path / "other")
    assert len({*map(tuple, first[0])}) > 10
    assert first[0] == again[0] != other[0]
    assert first[1] == pytest.approx(again[1], abs=1e-4) != pytest.approx(other[1], abs=1e-4)


def test_a_worker_has_its_own_core_and_only_its_own_threads(tmp_path: Path) -> None:
    with serve(tmp_path, load()) as service:
        (worker,) = served.workers(service)
        of_worker, of_generator = os.sched_getaffinity(worker), os.sched_getaffinity(served.generator(service))
    cores = sorted(os.sched_getaffinity(0))
    assert served.started(tmp_path) == [{"cpus": [cores[-1]], "omp": "1", "threads": 1}]
    assert (of_worker, of_generator) == ({cores[-1]}, {cores[0]})


def test_a_probe_shows_that_something_else_ran_on_the_core(tmp_path: Path) -> None:
    with serve(tmp_path, load(), seconds=-0.05) as service:
        (worker,) = served.workers(service)
        with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as neighbour:
            os.sched_setaffinity(neighbour.pid, os.sched_getaffinity(worker))
            probe = service.probe(10, seed=1, seconds=1)
            neighbour.kill()
    assert (probe.service_waiting_seconds or 0) > 0.05


@pytest.mark.slow
def test_loadgen_s_own_log_says_the_same(tmp_path: Path) -> None:
    """LoadGen stops its clock when this project's generator hands it an answer, so a busy machine can disturb it."""

    def differs(service: Service, probe: Probe) -> bool:
        ours = {
            "50.00 percentile latency (ns)": (probe.latency_p50_seconds or 0) * 1e9,
            "90.00 percentile latency (ns)": (probe.latency_p90_seconds or 0) * 1e9,
            "99.00 percentile latency (ns)": (probe.latency_p99_seconds or 0) * 1e9,
            "Completed samples per second": probe.completed_per_second,
            "Scheduled samples per second": probe.scheduled_per_second,
        }
        return any(loadgen_says(service, name) != pytest.approx(value, rel=0.03) for name, value in ours.items())

    with serve(tmp_path, load(workers=2), seconds=0.04) as service:
        assert not all(differs(service, service.probe(35, seed, seconds=2)) for seed in range(5))


@pytest.mark.slow
def test_requests_wait_as_long_as_those_before_them_need(tmp_path: Path) -> None:
    """The latencies are those of a queue with LoadGen's arrivals, unless another process disturbs the worker a lot."""

    def in_theory(service: Service, calls: list[dict[str, Any]]) -> list[float]:
        ended, latencies = 0.0, []
        for arrival, call in zip(arrivals(service), calls, strict=True):
            ended = max(ended, arrival) + call["seconds"]
            latencies.append(ended - arrival)
        return sorted(latencies)

    with serve(tmp_path, load(), seconds=0.05) as service:
        for seed in range(8):
            before = len(served.calls(tmp_path))
            probe = service.probe(15, seed, seconds=2)
            latencies = in_theory(service, served.calls(tmp_path)[before:])
            expected = latencies[15], latencies[27], latencies[29]
            found = probe.latency_p50_seconds, probe.latency_p90_seconds, probe.latency_p99_seconds
            if found == pytest.approx(expected, rel=0.1):
                return
        pytest.fail(f"found {found}, but expected {expected}")


def during_a_probe(service: Service, fault: Callable[[], None]) -> str:
    """Cause a fault during a probe, and return what the service says."""
    timer = threading.Timer(0.3, fault)
    timer.start()
    try:
        with pytest.raises(ServiceFailedError) as failure:
            service.probe(20, seed=1, seconds=PATIENCE_SECONDS)
    finally:
        timer.join()
        service.close()
    return str(failure.value)


def test_a_killed_worker_is_named_and_ends_the_others(tmp_path: Path) -> None:
    service = serve(tmp_path, load(workers=2))
    second = served.workers(service)[1]
    reason = during_a_probe(service, lambda: os.kill(second, signal.SIGKILL))
    assert reason == "the service ended with exit code 1: worker 1 was killed by SIGKILL"
    assert left(service) == []


def test_a_killed_generator_is_named(tmp_path: Path) -> None:
    service = serve(tmp_path, load())
    reason = during_a_probe(service, lambda: os.kill(served.generator(service), signal.SIGKILL))
    assert reason.startswith("the load generator was killed by SIGKILL: from outside")
    assert left(service) == []


def test_a_service_that_cannot_load_its_model_says_why(tmp_path: Path) -> None:
    with pytest.raises(ServiceFailedError, match=r"^the service ended with exit code 1: TypeError: .*NoneType"):
        serve(tmp_path, load(), seconds=None)  # type: ignore[arg-type]  # what no sleep takes
    assert list((tmp_path / "run").iterdir()) == []


def test_a_service_that_hangs_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(ServiceFailedError, match=r"did not answer in time \(isolation\.timeout_seconds\)"):
        serve(tmp_path, load(), seconds=3600, timeout_seconds=1)
    assert served.processes(tmp_path) == []
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(("number", "folders"), [(signal.SIGINT, 0), (signal.SIGKILL, 1)])
def test_nothing_runs_on_after_ctrl_c_or_the_death_of_this_process(
    tmp_path: Path, number: signal.Signals, folders: int
) -> None:
    script = (
        "from pathlib import Path; from tests.sweep.load.served import load, serve\n"
        f"with serve(Path({str(tmp_path)!r}), load(workers=2)) as service:\n"
        "    print('ready', flush=True)\n"
        "    service.probe(20, 1, 3600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        assert len(served.processes(tmp_path)) == 4
        process.send_signal(number)
    wait_until(lambda: served.processes(tmp_path) == [], "the end of both boxes")
    assert len(list((tmp_path / "run").iterdir())) == folders  # a later run removes it, because nobody has it locked


@pytest.mark.slow
@pytest.mark.docker
def test_in_containers(tmp_path: Path, docker_box: DockerBox) -> None:
    with serve(tmp_path, load(workers=2, size=2), box=docker_box) as service:
        offline, probe = service.offline(0.5), service.probe(20, seed=1, seconds=0.5)
    assert (offline.completed_per_second or 0) > 1 / 0.02
    assert (probe.queries, probe.completed, probe.rejected) == (10, 10, 0)
    assert 0.02 <= (probe.latency_p50_seconds or 0) < (probe.seconds or 0)
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.slow
@pytest.mark.docker
@pytest.mark.parametrize(("module", "name"), [("service", "service"), ("generator", "load generator")])
def test_no_container_is_left_when_one_is_killed(tmp_path: Path, docker_box: DockerBox, module: str, name: str) -> None:
    client = docker.from_env()

    def ours() -> list[Any]:
        labels = [f"{label}={value}" for label, value in owner_labels().items()]
        return client.containers.list(all=True, filters={"label": labels}, ignore_removed=True)

    def kill() -> None:
        (container,) = (each for each in ours() if f"runner.trial.{module}" in each.attrs["Config"]["Cmd"])
        container.kill()

    service = serve(tmp_path, load(), box=docker_box)
    assert len(ours()) == 2
    assert during_a_probe(service, kill).startswith(f"the {name} was killed by SIGKILL")
    assert ours() == []
    assert list((tmp_path / "run").iterdir()) == []
