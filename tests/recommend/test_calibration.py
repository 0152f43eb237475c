"""Are the probabilities true? Many simulated sweeps, in each of which the truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from runner.recommend.choose import choose
from runner.recommend.evidence import STEP, Block, Question, _widening

SWEEPS = 400
_T = {3: 4.303, 8: 2.365}


def _question(chance: np.random.Generator, latencies: np.ndarray, rounds: int, noise: float) -> Question:
    """Measure true log latencies: `noise` is the standard deviation of one round."""
    measured = latencies[:, None] + noise * chance.normal(size=(len(latencies), rounds))
    centre = measured.mean(axis=1)
    deviations = np.rint((measured - centre[:, None]) * _widening(rounds) / STEP).astype(int).tolist()
    count, zeros = len(latencies), [0] * rounds
    return Question(
        title="", isolation="docker", batch_size=1, baseline=[], examples=0, kept=0, mistakes=[],
        blocks=[Block(rounds=rounds, clock=zeros, t=_T[rounds], floor=0, mistakes=None)],
        label=[str(i) for i in range(count)], threads=[1] * count, block=[0] * count,
        latency_seconds=np.exp(centre).tolist(), log_latency=np.rint(centre / STEP).astype(int).tolist(),
        paired=[True] * count, p90_seconds=[1.0] * count, disk_bytes=[1.0] * count, rss_bytes=[1.0] * count,
        wrong=[None] * count, flips=[None] * count, own_mistakes=[None] * count,
        rounds=[[own, zeros, zeros] for own in deviations], failed=[], saturation="",
    )  # fmt: skip


@pytest.mark.parametrize("rounds", [3, 8])
def test_a_variant_that_is_the_best_with_p_percent_is_the_best_in_p_percent_of_sweeps(rounds: int) -> None:
    chance, said, true = np.random.default_rng(rounds), [], []
    for _ in range(SWEEPS):
        latencies = 0.02 * chance.normal(size=4)
        answer = choose(_question(chance, latencies, rounds, noise=0.02), {})
        said += list(answer.probability.values())
        true += [one == int(latencies.argmin()) for one in answer.probability]
    shares, hits = np.array(said), np.array(true, dtype=float)
    for low, high in ((0.0, 0.05), (0.05, 0.3), (0.3, 0.7), (0.7, 1.01)):
        within = (shares >= low) & (shares < high)
        assert within.sum() > 40
        assert abs(shares[within].mean() - hits[within].mean()) < 0.12


@pytest.mark.parametrize("rounds", [3, 8])
def test_equal_variants_are_told_apart_seldom(rounds: int) -> None:
    chance = np.random.default_rng(rounds)
    apart = sum(not choose(_question(chance, np.zeros(2), rounds, noise=0.02), {}).ties for _ in range(SWEEPS))
    assert apart / SWEEPS < 0.08


def test_unequal_variants_are_told_apart() -> None:
    chance = np.random.default_rng(1)
    latencies = np.array([0.0, 0.05])
    apart = sum(not choose(_question(chance, latencies, 8, noise=0.02), {}).ties for _ in range(SWEEPS))
    assert apart / SWEEPS > 0.9
