"""Sizes and threads are checked, and the kind of box is chosen."""

from __future__ import annotations

import pytest

from runner.config.load import LoadConfig, LoadKind
from runner.config.schema import IsolationConfig, IsolationKind
from runner.errors import UserError
from runner.isolation import choose
from runner.machine.topology import choose_cpus, physical_cores


@pytest.mark.parametrize(
    ("text", "size"),
    [("1GiB", 1 << 30), ("1g", 10**9), ("500MB", 500 * 10**6), ("1.5 GiB", 3 << 29), ("134217728", 1 << 27)],
)
def test_sizes(text: str, size: int) -> None:
    assert choose.memory_bytes(text) == size


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lots", "not a size. Write for example 4GiB"),
        ("-1GiB", "not a size"),
        ("4MiB", "too small for any engine to start. Give at least 64MiB"),
        ("9000GiB", r"this machine has \d+\.\dGiB"),
    ],
)
def test_bad_sizes(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        choose.memory_bytes(text)


def test_threads_beyond_the_cores_are_refused() -> None:
    cores = len(physical_cores())
    choose.check_threads(cores)
    with pytest.raises(UserError, match=f"threads is {cores + 1}, but only {cores} physical cores"):
        choose.check_threads(cores + 1)


def test_an_open_load_needs_a_core_for_the_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "physical_cores", lambda: [0, 2, 4])
    choose.check_load(3, LoadConfig(workers=2))  # a closed load has no workers
    choose.check_load(1, LoadConfig(kind=LoadKind.open, workers=2))
    for threads, workers in ((1, 3), (3, 1), (2, 2)):
        needed = f"needs {threads * workers} physical cores, and the load generator needs one more, but only 3 may be"
        with pytest.raises(UserError, match=needed):
            choose.check_load(threads, LoadConfig(kind=LoadKind.open, workers=workers))


def test_each_thread_gets_a_core_of_its_own() -> None:
    assert len(set(choose_cpus(1))) == 1
    assert choose_cpus(len(physical_cores())) == physical_cores()


def test_without_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent.sock")
    assert choose.resolve(IsolationKind.auto) == (IsolationKind.process, choose.NO_ENGINE)
    assert choose.resolve(IsolationKind.process) == (IsolationKind.process, None)
    with pytest.raises(UserError, match="isolation is docker, but no Docker engine answers"):
        choose.resolve(IsolationKind.docker)


@pytest.mark.parametrize(
    ("kind", "cpus", "message"),
    [
        (IsolationKind.process, 1.0, "only a container can have a CPU quota, and trials run as processes here"),
        (IsolationKind.docker, 4096.5, r"isolation.cpus is 4096.5, but this machine has \d+ CPUs. Give at most that"),
    ],
)
def test_quotas_that_no_box_here_can_have(kind: IsolationKind, cpus: float, message: str) -> None:
    with pytest.raises(UserError, match=message):
        choose.check_quota(IsolationConfig(kind=kind, cpus=cpus))


def test_a_box_without_a_quota_needs_nothing() -> None:
    choose.check_quota(IsolationConfig(kind=IsolationKind.process))
