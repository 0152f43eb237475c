"""Are the probabilities true? Many simulated sweeps, in each of which the truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from runner.recommend.choose import choose
from runner.recommend.decision import STEP, Block, DecisionData, Variant
from runner.recommend.decision_data import _widening

SWEEPS = 400


def _data(chance: np.random.Generator, latencies: np.ndarray, rounds: int, noise: float) -> tuple[DecisionData, int]:
    """Measure true log latencies, and return the place of the truly fastest variant.

    `noise` is the standard deviation of one round.
    """
    measured = latencies[:, None] + noise * chance.normal(size=(len(latencies), rounds))
    centre = measured.mean(axis=1)
    deviations = np.rint((measured - centre[:, None]) * _widening(rounds) / STEP).astype(int).tolist()
    zeros = [0] * rounds
    block = Block(rounds=rounds, clock=zeros, noise_floor=None, mistakes=None)
    order = np.argsort(centre)
    variants = [
        Variant(
            label=str(place),
            threads=1,
            block=block,
            latency_seconds=float(np.exp(centre[place])),
            paired=True,
            values={"p90_seconds": 1.0, "disk_bytes": 1.0, "rss_bytes": 1.0},
            mistakes=None,
            latency_steps=deviations[place],
            ratio_steps=dict.fromkeys(("p90_seconds", "p95_seconds", "p99_seconds", "rss_bytes"), zeros),
        )
        for place in order
    ]
    return DecisionData("", "docker", 1, variants, [], 0, 0, None, ""), int(np.argmin(latencies[order]))


@pytest.mark.parametrize("rounds", [3, 8])
def test_a_variant_that_is_the_best_with_p_percent_is_the_best_in_p_percent_of_sweeps(rounds: int) -> None:
    chance, found, true = np.random.default_rng(rounds), [], []
    for _ in range(SWEEPS):
        data, fastest = _data(chance, 0.02 * chance.normal(size=4), rounds, noise=0.02)
        chosen = choose(data, {})
        found += list(chosen.shares.values())
        true += [place == fastest for place in chosen.shares]
    shares, hits = np.array(found), np.array(true, dtype=float)
    for low, high in ((0.0, 0.05), (0.05, 0.3), (0.3, 0.7), (0.7, 1.01)):
        within = (shares >= low) & (shares < high)
        assert within.sum() > 40
        assert abs(shares[within].mean() - hits[within].mean()) < 0.12


@pytest.mark.parametrize("rounds", [3, 8])
def test_equal_variants_are_seldom_distinguished(rounds: int) -> None:
    chance = np.random.default_rng(rounds)
    apart = sum(not choose(_data(chance, np.zeros(2), rounds, noise=0.02)[0], {}).ties for _ in range(SWEEPS))
    assert apart / SWEEPS < 0.08


def test_unequal_variants_are_distinguished() -> None:
    chance = np.random.default_rng(1)
    latencies = np.array([0.0, 0.05])
    apart = sum(not choose(_data(chance, latencies, 8, noise=0.02)[0], {}).ties for _ in range(SWEEPS))
    assert apart / SWEEPS > 0.9
