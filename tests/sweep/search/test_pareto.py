"""Dominance with intervals, and the front."""

from __future__ import annotations

from typing import Any

from runner.results.collect import collect
from runner.sweep.search.pareto import Candidate, candidates, front
from tests.results.synthetic import BASELINE, Job, write_sweep


def _one(latency: tuple[float, float], disk: float = 1, memory: float = 1, error: float = 0.1) -> Candidate:
    row = {"baseline_job": "b", "latency_ratio": sum(latency) / 2}
    return Candidate(row, latency, (disk, disk), (memory, memory), (error, error))


def test_who_is_worse_in_one_and_better_in_none_is_dominated() -> None:
    assert _one((0.4, 0.5)).dominates(_one((0.6, 0.7)))
    assert _one((0.4, 0.5)).dominates(_one((0.6, 0.7), disk=2, error=0.2))
    assert not _one((0.4, 0.5), disk=2).dominates(_one((0.6, 0.7)))
    assert not _one((0.4, 0.5), error=0.2).dominates(_one((0.6, 0.7)))


def test_intervals_that_overlap_decide_nothing_and_twins_both_stay() -> None:
    assert not _one((0.4, 0.6)).dominates(_one((0.5, 0.7)))
    assert not _one((0.4, 0.6)).dominates(_one((0.5, 0.7), disk=2))
    assert not _one((0.5, 0.5)).dominates(_one((0.5, 0.5)))
    assert len(front([_one((0.5, 0.5)), _one((0.5, 0.5))])) == 2


def test_the_front_of_a_sweep(tmp_path: Any) -> None:
    fast = Job("fast", 0.05, rss_bytes=400_000_000)
    small = Job("small", 0.08, disk_bytes=20_000_000)
    worse = Job("worse", 0.2, flips=1.5)
    broken = Job("broken", 0.01, failure=("oom", "killed", (0, 1, 2, 3)))
    tables = collect(write_sweep(tmp_path, [BASELINE, fast, small, worse, broken], rounds=4, noise=0.001))
    found = candidates(tables)
    assert {one.row["technique"] for one in found} == {"torch-eager", "fast", "small", "worse"}
    assert [one.row["technique"] for one in front(found)] == ["fast", "small"]


def test_one_round_excludes_nothing_by_latency(tmp_path: Any) -> None:
    tables = collect(write_sweep(tmp_path, [BASELINE, Job("a", 0.05), Job("b", 0.5)], rounds=1))
    assert len(front(candidates(tables))) >= 2
