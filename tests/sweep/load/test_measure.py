"""What a trial's record says after its service was probed: here the service is a simulated queue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.config.load import LoadConfig, LoadKind, SloConfig
from runner.isolation.box import BoxOrder
from runner.isolation.process import ProcessBox
from runner.results.records.load import Probe
from runner.results.records.trial import TrialRecord
from runner.sweep.load import measure
from runner.sweep.load.service import ServiceFailedError
from tests.sweep.load.queues import Queue

LOAD = LoadConfig("open", LoadKind.open, SloConfig(99, 50))


class FakeService:
    """Answers as a queue does, keeps what it was asked, and fails at the probe number `fails_at`."""

    fails_at: int | None = None
    late_seconds = 0.0
    disturbed_offline = offline_runs = 0
    disturbed: tuple[int, ...] = ()
    opened: list[FakeService] = []  # noqa: RUF012

    def __init__(self, box: Any, service: BoxOrder, generator: BoxOrder, folder: Path) -> None:
        self.cpus, self.folder, self.is_closed = (service.cpus, generator.cpus), folder, False
        self.asked: list[tuple[float, int, float]] = []
        self._queue = Queue(LOAD, 0.001, 0.5)
        self.opened.append(self)

    def __enter__(self) -> FakeService:
        return self

    def __exit__(self, *_: object) -> None:
        self.is_closed = True

    def offline(self, seconds: float) -> Probe:
        probe = self._queue.offline()
        probe.seconds, probe.service_waiting_seconds = seconds, 0.0
        self.offline_runs += 1
        if self.offline_runs <= self.disturbed_offline:
            probe.service_waiting_seconds, probe.completed_per_second = 0.2 * seconds, 700.0
        return probe

    def probe(self, rate: float, seed: int, seconds: float) -> Probe:
        self.asked.append((rate, seed, seconds))
        if len(self.asked) == self.fails_at:
            raise ServiceFailedError("the service ended with exit code 1: worker 0 was killed by SIGKILL")
        probe = self._queue.probe(rate)
        probe.seconds, probe.generator_late_seconds = seconds, self.late_seconds
        if self.late_seconds:
            probe.slo_latency_seconds = probe.latency_p99_seconds = probe.latency_p999_seconds = 0.055
            probe.holds = False
        probe.service_waiting_seconds = 0.1 * seconds if len(self.asked) in self.disturbed else 0.0
        return probe


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> type[FakeService]:
    monkeypatch.setattr(measure, "Service", FakeService)
    monkeypatch.setattr(FakeService, "opened", [])
    return FakeService


def measured(folder: Path, round_: int = 0) -> TrialRecord:
    record = TrialRecord(status="ok", seed=0, round=round_)
    request = {"threads": 1, "engine": "e", "measure": {"warmup_seconds": 0.1}}
    order = BoxOrder("runner.trial", request, {"artifact": folder, "inputs": folder}, folder, [3])
    measure.measure_capacity(record, ProcessBox(), order, LOAD, [2, 3], folder)
    return record


def test_the_record_has_the_capacity_and_every_probe(service: type[FakeService], tmp_path: Path) -> None:
    record = measured(tmp_path)
    (opened,) = service.opened
    assert record.status == "ok"
    assert record.capacity_per_second is not None
    assert record.offline_per_second == pytest.approx(1000)
    assert record.capacity_per_second == pytest.approx(Queue(LOAD, 0.001, 0.5).capacity(), rel=0.06)
    assert record.probes is not None
    assert [probe.asked_per_second for probe in record.probes] == [None, *(rate for rate, *_ in opened.asked)]
    shares = [rate / record.capacity_per_second for rate, *_ in opened.asked[-3:]]
    assert shares == pytest.approx([0.25, 0.5, 0.75]), "the first round draws the whole curve"
    assert opened.is_closed
    assert (opened.cpus, opened.folder) == (([3], [2]), tmp_path)


def test_all_probes_of_a_round_get_the_same_arrivals(service: type[FakeService], tmp_path: Path) -> None:
    for round_ in (0, 0, 1):
        measured(tmp_path, round_)
    first, same, other = ([seed for _, seed, _ in opened.asked] for opened in service.opened)
    assert first == same
    assert len({*first}) == 1
    assert first[0] != other[0]


def test_a_service_that_fails_is_a_crashed_trial_that_keeps_its_probes(
    service: type[FakeService], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "fails_at", 3)
    record = measured(tmp_path)
    assert record.status == "crashed"
    assert record.error == ("the service ended with exit code 1: worker 0 was killed by SIGKILL (under the open load)")
    assert record.capacity_per_second is None
    assert record.probes is not None
    assert len(record.probes) == 3
    assert service.opened[0].is_closed


def test_a_generator_that_was_the_limit_makes_the_trial_unfair(
    service: type[FakeService], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "late_seconds", 0.03)
    record = measured(tmp_path)
    assert record.status == "unfair"
    assert record.error is not None
    assert "the load generator, not the service, was the limit" in record.error


def test_a_disturbed_probe_is_repeated_with_the_same_arrivals(
    service: type[FakeService], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured(tmp_path)
    monkeypatch.setattr(service, "disturbed", (2,))
    record = measured(tmp_path)
    calm, disturbed = (opened.asked for opened in service.opened)
    assert disturbed[1] == disturbed[2], "the same rate, seed and seconds"
    assert disturbed[0] == calm[0]
    assert record.probes is not None
    assert len(record.probes) == len(disturbed) + 1, "the disturbed one is kept, too"


def test_repeats_come_to_an_end(service: type[FakeService], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "disturbed", tuple(range(100)))
    assert measured(tmp_path).status == "ok"
    (opened,) = service.opened
    assert len(opened.asked) < 30


def test_a_disturbed_throughput_is_measured_again(
    service: type[FakeService], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "disturbed_offline", 2)
    record = measured(tmp_path)
    assert record.offline_per_second == pytest.approx(1000)
    assert record.probes is not None
    assert [probe.completed_per_second for probe in record.probes[:3]] == pytest.approx([700, 700, 1000])
