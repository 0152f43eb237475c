"""The distinct resamples and their outcomes against the 1,000 resamples drawn one by one."""

from __future__ import annotations

import numpy as np
import pytest

from runner.recommend.decision import STEP, DecisionData
from runner.recommend.decision_data import decision_data
from runner.recommend.limits import MEASURES
from runner.recommend.mistakes import unpack
from runner.recommend.resamples import RESAMPLES, Resamples, mulberry32
from runner.results.collect import collect
from runner.results.statistics import t_quantile
from tests.recommend.sweeps import JOBS
from tests.results.synthetic import write_sweep

ROUNDS = 6


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DecisionData:
    (data,) = decision_data(collect(write_sweep(tmp_path_factory.mktemp("sweep"), JOBS, rounds=ROUNDS, noise=0.05)))
    return data


@pytest.fixture(scope="module")
def resamples(data: DecisionData) -> Resamples:
    return Resamples(data)


def _drawn(seed: int, number: int) -> np.ndarray:
    """Return the places that each resample draws, [RESAMPLES, number]."""
    numbers = mulberry32(seed, RESAMPLES * number).astype(float) / 2**32
    return np.floor(numbers * number).astype(int).reshape(RESAMPLES, number)


def test_the_generator_is_uniform() -> None:
    counts = np.bincount(mulberry32(1, 80_000) >> np.uint32(29))
    assert len(counts) == 8
    assert counts.min() > 9_500
    assert mulberry32(1, 3).tolist() == mulberry32(1, 5)[:3].tolist()


def test_latencies_are_those_of_the_resampled_rounds(data: DecisionData, resamples: Resamples) -> None:
    drawn = _drawn(1, ROUNDS)
    for variant in data.variants:
        expected = variant.log_latency + np.array(variant.latency_steps)[drawn].mean(axis=1)
        expected += np.median(np.array(variant.block.clock)[drawn], axis=1)
        found = resamples.log_latency(variant)[resamples.rounds.place]
        assert np.abs(found - expected).max() <= 1, "two roundings to whole steps"


def test_ratios_are_the_medians_of_the_resampled_rounds(data: DecisionData, resamples: Resamples) -> None:
    drawn = _drawn(1, ROUNDS)
    for variant in data.variants:
        for measure in (measure for measure in MEASURES if measure.scatters_with == "rounds"):
            steps = np.median(np.array(variant.ratio_steps[measure.name])[drawn], axis=1)
            found = resamples.outcomes(variant, measure).values[resamples.rounds.place]
            assert found == pytest.approx(variant.values[measure.name] * (1 + STEP * steps))


def test_accuracies_are_those_of_the_resampled_examples(data: DecisionData, resamples: Resamples) -> None:
    drawn = _drawn(2, data.examples)
    accuracy = next(measure for measure in MEASURES if measure.name == "score")
    for variant in data.variants:
        assert variant.mistakes is not None
        wrong = unpack(variant.mistakes, data.examples)
        found = resamples.outcomes(variant, accuracy).values[resamples.examples.place]
        assert found == pytest.approx(1 - wrong[drawn].mean(axis=1))


def test_ties_are_those_of_every_pair(data: DecisionData, resamples: Resamples) -> None:
    logs = np.array([resamples.log_latency(variant)[resamples.rounds.place] for variant in data.variants])
    tied = 0
    for winner, first in enumerate(data.variants):
        expected = []
        for place in range(winner + 1, len(data.variants)):
            other = data.variants[place]
            reach = t_quantile(ROUNDS - 1) * (logs[place] - logs[winner]).std()
            floor = max(np.log(variant.block.noise_floor or 1.0) / STEP for variant in (first, other))
            if other.log_latency - first.log_latency <= max(reach, round(floor)):
                expected.append(place)
        assert resamples.ties(winner) == expected
        tied += len(expected)
    assert tied
