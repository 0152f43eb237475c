"""The queueing model against queues whose latency is known, and against the simulated services of the load's tests."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest

from runner.config.load import LoadConfig, LoadKind
from runner.recommend import queueing
from runner.recommend.capacity import Objective
from runner.recommend.queueing import Calls, Model, error, measured_calls
from runner.results.collect import collect
from tests.results.synthetic import Job, write_sweep
from tests.sweep.load.queues import Queue

SECONDS = 0.01
EXPONENTIAL = Calls(-SECONDS * np.log1p(-(np.arange(5000) + 0.5) / 5000))
CONSTANT = Calls(np.array([SECONDS]))


def wait_of_m_d_1(rate: float, share: float) -> float:
    """Return the waiting time that a share of the requests keeps, in an M/D/1 queue (Erlang, 1909)."""

    def keeps(seconds: float) -> float:
        terms = [rate * (k * SECONDS - seconds) for k in range(int(seconds / SECONDS) + 1)]
        return (1 - rate * SECONDS) * sum(x**k / math.factorial(k) * math.exp(-x) for k, x in enumerate(terms))

    low, high = 0.0, 20 * SECONDS
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if keeps(middle) < share else (low, middle)
    return low


@pytest.mark.parametrize("rate", [20.0, 50.0, 70.0])
def test_exponential_calls_are_an_m_m_1_queue(rate: float) -> None:
    model = Model(EXPONENTIAL)
    assert model.latency(rate, 99) == pytest.approx(math.log(100) / (1 / SECONDS - rate), rel=0.1)
    assert model.latency(rate, 50) == pytest.approx(math.log(2) / (1 / SECONDS - rate), rel=0.05)


@pytest.mark.parametrize("rate", [20.0, 50.0, 70.0])
def test_equal_calls_are_an_m_d_1_queue(rate: float) -> None:
    expected = SECONDS + wait_of_m_d_1(rate, 0.99)
    assert Model(CONSTANT).latency(rate, 99) == pytest.approx(expected, rel=0.1)


def test_the_capacity_is_where_the_formula_reaches_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound of M/M/1 is ln 100 ÷ (100 − rate). One simulation scatters by 2.6%, so several are averaged."""
    seconds, found = 0.2, []
    for seed in range(12):
        monkeypatch.setattr(queueing, "_SEED", seed)
        found.append(Model(EXPONENTIAL).capacity(Objective(99.0, seconds)))
    assert fmean(found) == pytest.approx(100 - math.log(100) / seconds, rel=0.03)


def test_an_objective_below_the_time_of_a_call_has_no_capacity() -> None:
    assert Model(CONSTANT).capacity(Objective(99.0, 0.9 * SECONDS)) == 0


@pytest.mark.parametrize(("workers", "variation"), [(1, 0.0), (1, 0.5), (2, 0.5)])
def test_it_agrees_with_the_simulated_service(workers: int, variation: float) -> None:
    load = LoadConfig("open", LoadKind.open)
    queue = Queue(load, SECONDS, variation, workers, seed=3)
    calls = Calls(queue.service_seconds(100_000, queue.seed))
    model = Model(calls, workers=workers)
    far = error(model.capacity(Objective(load.slo.percentile, load.slo.seconds)), queue.capacity())
    assert far is not None
    assert abs(far) < 0.05


def test_one_loop_serves_one_worker_as_the_formula_does() -> None:
    single = Model(EXPONENTIAL)
    gaps, seconds = single._drawn
    arrivals = np.cumsum(gaps) / 70
    ends = single._ends(arrivals.tolist(), seconds.tolist())
    np.testing.assert_allclose(np.array(ends) - arrivals, single.latencies(70.0), rtol=1e-9, atol=1e-9)


def test_batches_that_cost_less_hold_more_and_those_that_save_nothing_hold_no_more() -> None:
    objective = Objective(99.0, 0.1)
    alone = Model(CONSTANT).capacity(objective)
    saving = Model(Calls(CONSTANT.seconds, growth=0.2), max_batch_size=8).capacity(objective)
    nothing = Model(CONSTANT, max_batch_size=8).capacity(objective)
    assert saving > 2 * alone
    assert nothing <= alone


def test_a_worker_that_waits_for_more_requests_answers_later() -> None:
    waiting = Model(CONSTANT, max_batch_size=8, max_wait_seconds=0.005)
    assert waiting.latency(1.0, 50) == pytest.approx(SECONDS + 0.005, rel=0.01)
    assert Model(CONSTANT, max_batch_size=8).latency(1.0, 50) == pytest.approx(SECONDS, rel=0.01)


def test_a_full_batch_starts_at_once() -> None:
    model = Model(Calls(CONSTANT.seconds, growth=0.5), max_batch_size=2, max_wait_seconds=1.0)
    assert model._ends([0.0, 0.1, 0.2], [SECONDS] * 3) == pytest.approx([0.115, 0.115, 1.21])


def test_calls_come_from_the_included_trials_and_the_growth_from_the_offline_probe(tmp_path: Path) -> None:
    jobs = [Job("torch-eager", 0.1, capacity_per_second=8.0), Job("onnx", 0.05, capacity_per_second=16.0)]
    tables = collect(write_sweep(tmp_path, jobs, rounds=2))
    calls = measured_calls(tables, {job.key for job in jobs})
    assert calls.keys() == {job.key for job in jobs}
    assert np.median(calls[jobs[1].key].seconds) == pytest.approx(0.05, rel=0.05)
    assert calls[jobs[1].key].growth == 1.0
    assert measured_calls(tables, {"another"}) == {}
    batched = collect(write_sweep(tmp_path / "batched", jobs, rounds=2, batch_size=4))
    assert measured_calls(batched, {job.key for job in jobs}) == {}


def test_no_error_without_a_measured_value() -> None:
    assert error(5.0, 0.0) is None
    assert error(110.0, 100.0) == pytest.approx(0.1)
