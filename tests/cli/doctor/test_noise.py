"""Steady, unsteady, and two-speed cores, made up."""

from __future__ import annotations

import random

import pytest

from runner.cli.doctor.noise import evaluate, noise_section, probe, two_speeds


def normal(mean: float, deviation: float, count: int, seed: int = 0) -> list[float]:
    generator = random.Random(seed)
    return [generator.gauss(mean, deviation) for _ in range(count)]


def test_two_speeds_are_seen() -> None:
    found = two_speeds(normal(1.0, 0.02, 700) + normal(1.8, 0.04, 300))
    assert found is not None
    assert found[0] == pytest.approx(1.8, rel=0.02)
    assert found[1] == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize(
    "durations",
    [
        normal(1.0, 0.01, 1000),
        normal(1.0, 0.2, 1000),
        [1.0 + index / 1000 for index in range(1000)],
        [*normal(1.0, 0.01, 980), *normal(3.0, 0.01, 20)],
        [1.0] * 1000,
        [1.0, 2.0],
    ],
    ids=["steady", "wide", "flat", "outliers", "constant", "few"],
)
def test_one_speed_is_not_two(durations: list[float]) -> None:
    assert two_speeds(durations) is None


def said(durations: list[float], steal: float = 0.0, load: float = 0.0) -> str:
    facts = noise_section(evaluate(durations, steal, 5.0), cpu=1, load=load).facts
    return " ".join(f"{fact.value} {fact.advice or ''}" for fact in facts)


def test_a_steady_core_needs_no_advice() -> None:
    facts = noise_section(evaluate(normal(1.0, 0.01, 1000), 0.0, 5.0), cpu=1, load=0.1).facts
    assert "steady" in [fact.value for fact in facts]
    assert not any(fact.advice for fact in facts)


def test_noise_is_told_in_plain_words() -> None:
    assert "unsteady" in said(normal(1.0, 0.1, 1000))
    assert "hypervisor" in said([1.0] * 9, steal=0.2)
    two = normal(1.0, 0.02, 700) + normal(1.8, 0.04, 300)
    assert "two speeds, 1.80× apart, 30% of the time at the slower one: probably another guest" in said(two)
    loaded = said(two, load=1.4)
    assert "probably another program on this machine" in loaded
    assert "Another program is running" in loaded


def test_the_probe_stays_in_its_time() -> None:
    import os

    allowed = os.sched_getaffinity(0)
    found = probe(min(allowed), seconds=0.0, kernel=lambda: 0.5)
    assert (found.median_seconds, found.spread, found.speed_ratio) == (0.5, 0.0, None)
    assert os.sched_getaffinity(0) == allowed
