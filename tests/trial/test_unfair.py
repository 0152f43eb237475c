"""What a trial calls unfair."""

from __future__ import annotations

from typing import Any

import pytest

from runner.results.records.measured import Measured
from runner.trial.__main__ import unfair

REQUEST: dict[str, Any] = {"cpus": [1], "memory_bytes": 1 << 30, "quota_cpus": None, "threads": 1}


def _measured(**changes: Any) -> Measured:
    fair = {"box_cpus": "1", "box_memory_limit_bytes": 1 << 30, "box_engine_threads": 1}
    measured = Measured()
    for name, value in (fair | {"cpu_seconds": 1.0, "elapsed_seconds": 1.0} | changes).items():
        setattr(measured, name, value)
    return measured


def test_a_box_as_ordered_is_fair() -> None:
    assert unfair(REQUEST, _measured()) is None
    assert unfair(REQUEST | {"memory_bytes": None}, _measured(box_memory_limit_bytes=None)) is None


def test_a_quota_that_nobody_asked_for_is_a_sign_of_disturbance_and_not_unfair() -> None:
    assert unfair(REQUEST, _measured(box_quota_cpus=2.0)) is None
    assert unfair(REQUEST | {"quota_cpus": 1.5}, _measured(box_quota_cpus=1.5)) is None


@pytest.mark.parametrize("found", [None, 2.0])
def test_a_box_without_its_quota_is_unfair(found: float | None) -> None:
    said = unfair(REQUEST | {"quota_cpus": 1.5}, _measured(box_quota_cpus=found))
    assert said == f"the job asks for a CPU quota of 1.5, but the box has {found}"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"box_cpus": "0,1"}, "the job asks for CPUs 1, but the box has 0,1"),
        ({"box_memory_limit_bytes": None}, "memory limit"),
        ({"box_engine_threads": 2}, "the job asks for threads=1, but the engine has 2"),
        ({"cpu_seconds": 1.9}, "more than threads=1 can"),
    ],
)
def test_a_box_that_differs_is_unfair(changes: dict[str, Any], message: str) -> None:
    assert message in (unfair(REQUEST, _measured(**changes)) or "")
