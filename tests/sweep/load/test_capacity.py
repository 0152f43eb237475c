"""The capacity that is found is that of a simulated queue, and one probe that goes wrong does not change it."""

from __future__ import annotations

from statistics import fmean, stdev

import pytest

from runner.config.load import LoadConfig, LoadKind, SloConfig
from runner.results.records.load import Probe
from runner.sweep.load.capacity import Capacity, find_capacity, missed_fraction, seconds_of_probe, usual_seconds
from tests.sweep.load.queues import Queue


def open_load(milliseconds: float = 50.0, probe_seconds: float = 3.0, percentile: float = 99.0) -> LoadConfig:
    return LoadConfig("open", LoadKind.open, SloConfig(percentile, milliseconds), probe_seconds=probe_seconds)


def found(queue: Queue) -> Capacity:
    return find_capacity(queue.probe, queue.offline(), queue.load)


@pytest.mark.parametrize(
    ("seconds", "variation", "milliseconds"),
    [(0.001, 0.0, 50.0), (0.001, 0.5, 50.0), (0.005, 0.0, 50.0), (0.005, 0.6, 50.0), (0.002, 0.0, 10.0)],
    ids=["steep", "steep, varied", "M/D/1", "M/G/1", "little time to wait"],
)
def test_long_probes_find_the_capacity_of_a_queue(seconds: float, variation: float, milliseconds: float) -> None:
    load = open_load(milliseconds, probe_seconds=60)
    right = Queue(load, seconds, variation).capacity()
    capacities = [found(Queue(load, seconds, variation, seed=seed)).per_second for seed in range(8)]
    assert fmean(capacities) == pytest.approx(right, rel=0.03)
    assert stdev(capacities) < 0.05 * right


def test_several_workers_hold_more_than_their_number_of_times_as_much() -> None:
    load = open_load(probe_seconds=10)
    one, two = (found(Queue(load, 0.01, 0.3, workers, seed=3)).per_second for workers in (1, 2))
    assert 2 * one < two < 200


@pytest.mark.parametrize("seconds", [0.002, 0.006])
def test_probes_of_the_usual_length_are_right_on_average(seconds: float) -> None:
    found_ = [found(Queue(open_load(), seconds, 0.5, seed=seed)).per_second for seed in range(20)]
    right = Queue(open_load(), seconds, 0.5).capacity()
    assert right < fmean(found_) < 1.1 * right, "the documentation says: up to a tenth too high"


@pytest.mark.parametrize("seconds", [0.002, 0.006])
def test_two_searches_with_the_same_arrivals_agree_on_a_noisy_machine(seconds: float) -> None:
    def capacity(seed: int, noise_seed: int) -> float:
        queue = Queue(open_load(), seconds, 0.5, seed=seed, speeds=0.03, pauses=0.1, noise_seed=noise_seed)
        return found(queue).per_second

    ratios = [capacity(seed, 1) / capacity(seed, 2) for seed in range(20)]
    assert fmean(ratios) == pytest.approx(1, abs=0.02)
    assert stdev(ratios) < 0.06


def test_a_service_with_a_fifth_more_work_holds_a_fifth_less() -> None:
    load = open_load(probe_seconds=10)
    ratios = [
        found(Queue(load, 0.0024, 0.5, seed=seed)).per_second / found(Queue(load, 0.002, 0.5, seed=seed)).per_second
        for seed in range(6)
    ]
    assert 0.79 < fmean(ratios) < 0.86


@pytest.mark.parametrize("number", range(5))
def test_one_spoiled_probe_changes_little(number: int) -> None:
    queue = Queue(open_load(), 0.001, 0.5, seed=number)

    def probe(rate: float) -> Probe:
        record = queue.probe(rate)
        if len(queue.probes) == number + 1:
            record.latency_p50_seconds = record.latency_p90_seconds = 0.4
            record.latency_p99_seconds = record.latency_p999_seconds = record.slo_latency_seconds = 0.5
            record.holds = False
        return record

    capacity = find_capacity(probe, queue.offline(), queue.load).per_second
    assert capacity == pytest.approx(queue.capacity(), rel=0.06)


@pytest.mark.parametrize("number", range(5))
def test_one_lucky_probe_changes_little(number: int) -> None:
    queue = Queue(open_load(), 0.005, seed=number)

    def probe(rate: float) -> Probe:
        record = queue.probe(rate)
        if len(queue.probes) == number + 1:
            record.latency_p50_seconds = record.latency_p90_seconds = record.latency_p99_seconds = 0.006
            record.latency_p999_seconds, record.holds = 0.007, True
        return record

    capacity = find_capacity(probe, queue.offline(), queue.load).per_second
    assert capacity == pytest.approx(queue.capacity(), rel=0.2)


def test_a_service_that_is_fast_enough_holds_nearly_its_throughput() -> None:
    queue = Queue(open_load(), 0.0001, 0.3)
    capacity = found(queue)
    assert 0.95 * 10_000 < capacity.per_second <= 10_000
    assert len(capacity.probes) < 10


def test_a_slow_service_says_that_its_probes_had_too_few_requests() -> None:
    capacity = found(Queue(open_load(), 0.02, 0.3, seed=1))
    assert capacity.reason is not None
    assert "requests, which is too few to show the rare long waits" in capacity.reason
    assert "requests" not in (found(Queue(open_load(), 0.006, 0.5, seed=1)).reason or "")


def test_no_rate_keeps_an_objective_below_the_time_of_a_call() -> None:
    queue = Queue(open_load(milliseconds=5), 0.006)
    capacity = found(queue)
    assert capacity.per_second == 0
    assert capacity.reason is not None
    assert "no rate keeps the objective of 5 ms for the 99th percentile: even at " in capacity.reason
    assert "2% of the offline throughput" in capacity.reason
    assert capacity.probes[1:] == queue.probes, "all probes are kept"


def test_a_service_that_answers_nothing_has_no_capacity() -> None:
    capacity = find_capacity(lambda rate: pytest.fail("it was probed"), Probe(), open_load())
    assert (capacity.per_second, capacity.reason) == (
        0,
        "the service answered no request when all of them arrived at once",
    )


def test_a_generator_that_is_late_is_named_as_the_limit() -> None:
    queue = Queue(open_load(), 0.002, 0.5)

    def late(rate: float, seconds: float = 0.04) -> Probe:
        record = queue.probe(rate)
        if rate > 100:  # as if a part of each latency came from the generator
            record.generator_late_seconds = seconds
            record.latency_p50_seconds = record.latency_p90_seconds = record.latency_p99_seconds = 0.06
            record.latency_p999_seconds = record.slo_latency_seconds = 0.06
            record.holds = False
        return record

    assert found(Queue(open_load(), 0.002, 0.5)).generator_limit is None
    limit = find_capacity(late, queue.offline(), queue.load).generator_limit
    assert limit is not None
    assert "the load generator, not the service, was the limit: it issued requests up to 40 ms late" in limit
    little = find_capacity(lambda rate: late(rate, 0.005), queue.offline(), queue.load).generator_limit
    assert little is None, "a service that is far too slow is not excused by a little lateness"


def test_a_slow_rate_is_probed_for_longer_but_not_for_minutes() -> None:
    assert seconds_of_probe(1000, open_load()) == 3
    assert seconds_of_probe(100, open_load()) == pytest.approx(10)
    assert seconds_of_probe(0.1, open_load()) == 15


def test_the_usual_time_of_a_search_is_that_of_a_service_of_ordinary_speed() -> None:
    queue = Queue(open_load(), 0.006, 0.5)
    found(queue)
    took = sum(seconds_of_probe(probe.asked_per_second or 0.0, queue.load) for probe in queue.probes)
    assert usual_seconds(open_load()) == pytest.approx(took, rel=0.5)


def a_probe(**figures: float | None) -> Probe:
    probe = Probe()
    vars(probe).update({"queries": 1000, "completed": 1000} | figures)
    return probe


def test_the_share_of_missed_requests_follows_from_percentiles() -> None:
    percentiles = {"p50": 0.01, "p90": 0.02, "p99": 0.04, "p999": 0.06}
    probe = a_probe(**{f"latency_{name}_seconds": seconds for name, seconds in percentiles.items()})
    missed = {bound: missed_fraction(probe, SloConfig(99, bound)) for bound in (5, 20, 30, 40, 50, 70)}
    assert [missed[20], missed[40]] == pytest.approx([0.1, 0.01])
    assert missed[30] == pytest.approx(0.1**1.5)
    assert (missed[5], missed[70]) == (1, 0)
    probe.completed = 900
    assert missed_fraction(probe, SloConfig(99, 70)) == pytest.approx(0.1), "rejected requests miss"
