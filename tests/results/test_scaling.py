"""Thread scaling: which row a job is held against, and what comes out."""

from __future__ import annotations

import math
from typing import Any

import pytest

from runner.results.scaling import thread_scaling
from runner.results.statistics import compare


def _job(key: str, threads: int, **other: Any) -> dict[str, Any]:
    same = {"model": "m", "technique": "onnx", "task": "tweets", "workload": "b1", "isolation": "docker"}
    return (
        same
        | {
            "batch_size": 1,
            "padding": "longest",
            "max_length": 128,
            "bucket": None,
            "cpu": None,
            "job": key,
            "threads": threads,
        }
        | other
    )


def _trials(*latencies: float, **other: Any) -> list[dict[str, Any]]:
    return [{"status": "ok", "included": True, "latency_p50_seconds": p50} | other for p50 in latencies]


def test_speedup_and_efficiency_against_the_one_thread_row() -> None:
    trials = {"one": _trials(0.10, 0.11, 0.09), "two": _trials(0.06, 0.055, 0.065)}
    found = thread_scaling([_job("one", 1), _job("two", 2)], trials)
    expected = compare(*([math.log(t["latency_p50_seconds"]) for t in trials[job]] for job in ("one", "two")))
    assert expected is not None
    assert found == {
        "two": {
            "thread_speedup": expected.ratio,
            "thread_speedup_low": expected.low,
            "thread_speedup_high": expected.high,
            "thread_efficiency": expected.ratio / 2,
        }
    }
    assert expected.ratio == pytest.approx(1.66, abs=0.02)


def test_only_ok_trials_of_included_rounds_enter() -> None:
    odd = [*_trials(9.0, included=False), *_trials(9.0, status="crashed")]
    trials = {"one": [*_trials(0.1, 0.1), *odd], "four": [*odd, *_trials(0.05, 0.05)]}
    found = thread_scaling([_job("four", 4), _job("one", 1)], trials)["four"]
    assert found["thread_speedup"] == pytest.approx(2)
    assert found["thread_efficiency"] == pytest.approx(0.5)


def test_a_single_round_has_no_interval() -> None:
    found = thread_scaling([_job("one", 1), _job("two", 2)], {"one": _trials(0.1), "two": _trials(0.05)})["two"]
    assert found["thread_speedup"] == pytest.approx(2)
    assert found["thread_speedup_low"] is None


@pytest.mark.parametrize("other", [{"technique": "torch"}, {"batch_size": 8}, {"isolation": "process"}])
def test_a_job_that_differs_in_more_than_threads_is_no_measure(other: dict[str, Any]) -> None:
    trials = {"one": _trials(0.1), "two": _trials(0.05)}
    assert thread_scaling([_job("one", 1, **other), _job("two", 2)], trials) == {}


def test_without_one_clear_row_or_without_trials_nothing_is_said() -> None:
    jobs = [_job("one", 1), _job("two", 2)]
    assert thread_scaling([*jobs, _job("another", 1)], {key: _trials(0.1) for key in ("one", "two", "another")}) == {}
    assert thread_scaling(jobs, {"one": [], "two": _trials(0.1)}) == {}
    assert thread_scaling([_job("two", 2)], {"two": _trials(0.1)}) == {}
