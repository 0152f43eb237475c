"""Evidence for the statistics: a thousand simulated sweeps, evaluated by the project's own functions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from runner.config.schema import DisturbanceLimits
from runner.results.statistics import Estimate, estimate_ratio, holm, log_ratio, noise_floor, paired_log_ratio, verdict
from tests.results.noisy_machine import CALL_SECONDS, SLICE_SECONDS, Machine, Measured, is_slow, measure

pytestmark = pytest.mark.slow

SWEEPS, ROUNDS, MAX_ROUNDS, CLONES = 1000, 8, 20, 5
ENOUGH = 0.02  # half-width at which measure=thorough stops


@dataclass(frozen=True)
class Runs:
    """Simulated sweeps: each trial's log ratio to its partner [sweep, round, trial]; the last two are the baselines."""

    measured: Measured
    ratios: list[list[list[float]]]

    def of(self, sweep: int, trial: int, rounds: int = ROUNDS) -> list[float]:
        """Return a clone's log ratios to the two baselines of its round, as `runner.results.rounds` takes them."""
        trials = [[math.exp(ratio) for ratio in round_] for round_ in self.ratios[sweep][:rounds]]
        return [found for round_ in trials if (found := log_ratio(round_[trial], round_[-2:])) is not None]

    def a_a(self, sweep: int) -> list[float]:
        """Return log(last ÷ first baseline) of every round."""
        return [round_[-1] - round_[-2] for round_ in self.ratios[sweep][:ROUNDS]]


def _run(machine: Machine, rounds: int = ROUNDS, clones: int = CLONES, quicker: int = 1, seed: int = 1) -> Runs:
    """Simulate sweeps; where the clones are quicker, so are the baselines they are held against."""
    trials = clones + 2
    measured = measure(np.random.default_rng(seed), machine, SWEEPS, rounds, trials, quicker)
    pairs = (np.exp(side).reshape(-1, *side.shape[-2:]).tolist() for side in (measured.own, measured.partner))
    found = [paired_log_ratio(dict(enumerate(v)), dict(enumerate(p))) for v, p in zip(*pairs, strict=True)]
    return Runs(measured, np.reshape(np.array(found, dtype=float), (SWEEPS, rounds, trials)).tolist())


@pytest.fixture(scope="module")
def runs() -> Runs:
    return _run(Machine())


def _judge(runs: Runs, sweep: int, true_log_ratio: float = 0.0) -> list[str | None]:
    """Evaluate the clones of a sweep as the summary does; the true ratio is given to the first of them."""
    logs = [runs.of(sweep, clone) for clone in range(CLONES)]
    logs[0] = [x + true_log_ratio for x in logs[0]]
    estimates = [estimate_ratio(own) for own in logs]
    adjusted = holm([e.p_value for e in estimates if e is not None and e.p_value is not None])
    floor = noise_floor(runs.a_a(sweep))
    return [verdict(e, p, floor) for e, p in zip(estimates, adjusted, strict=True)]


def _covers(estimate: Estimate | None) -> bool:
    assert estimate is not None
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low <= 1 <= estimate.high


def test_the_simulated_machine_is_as_noisy_as_the_real_one() -> None:
    slow = is_slow(np.random.default_rng(1), (200, 4000), 0.3, 0.01).astype(float)
    apart = slow - slow.mean()
    lags = {lag: float((apart[:, :-lag] * apart[:, lag:]).mean() / (apart**2).mean()) for lag in (1, 10, 100)}
    assert lags == pytest.approx({1: 0.8, 10: 0.4, 100: 0.12}, abs=0.03)


def test_intervals_cover_the_truth(runs: Runs) -> None:
    hits = [_covers(estimate_ratio(runs.of(s, trial))) for s in range(SWEEPS) for trial in range(CLONES)]
    assert 0.94 <= np.mean(hits) <= 0.96


@pytest.mark.parametrize(
    "machine",
    [
        Machine(slow_share=0.0),
        Machine(slow_share=0.5),
        Machine(bursts=0.2),
        Machine(partner=0.01),
        Machine(box=0.04),  # two threads: where they are placed stays with a box, too
        Machine(unsettled=0.1),
        Machine(neighbour=1.0),
    ],
)
def test_intervals_cover_the_truth_on_other_machines(machine: Machine) -> None:
    other = _run(machine, clones=1)
    assert 0.92 <= np.mean([_covers(estimate_ratio(other.of(s, 0))) for s in range(SWEEPS)]) <= 0.98


def test_intervals_cover_the_truth_of_a_variant_four_times_as_fast() -> None:
    fast = _run(Machine(), clones=1, quicker=4)
    assert 0.92 <= np.mean([_covers(estimate_ratio(fast.of(s, 0))) for s in range(SWEEPS)]) <= 0.98
    assert abs(np.mean(fast.ratios) + Machine().partner) < 0.002


def test_a_neighbour_on_the_core_makes_a_fast_variant_look_faster_which_the_sign_tells() -> None:
    """The variant's ratio is to baselines as slow as the partner, so they are simulated on their own."""
    busy = Machine(neighbour=2.0)
    own = measure(np.random.default_rng(1), busy, 100, ROUNDS, 1, 4)
    same = measure(np.random.default_rng(2), busy, 100, ROUNDS, 1, 1)
    bias = _median_difference(own) - _median_difference(same)
    assert bias < math.log(0.9)
    assert busy.waiting_fraction > DisturbanceLimits().waiting_fraction


def test_below_the_sign_s_limit_a_neighbour_moves_a_fast_variant_by_less_than_the_limit() -> None:
    limit = DisturbanceLimits().waiting_fraction
    rate = limit / (1 - limit) * CALL_SECONDS / SLICE_SECONDS
    bearable = Machine(neighbour=rate)
    assert bearable.waiting_fraction == pytest.approx(limit)
    own = measure(np.random.default_rng(1), bearable, 100, ROUNDS, 1, 4)
    same = measure(np.random.default_rng(2), bearable, 100, ROUNDS, 1, 1)
    assert -1.1 * limit < _median_difference(own) - _median_difference(same) <= 0.005


def _median_difference(measured: Measured) -> float:
    """Return the mean over rounds of the median log ratio of own call ÷ partner's call."""
    differences = (measured.own - measured.partner).reshape(*measured.own.shape[:3], -1)
    return float(np.median(differences, axis=-1).mean())


def test_identical_code_is_told_apart_in_hardly_any_sweep(runs: Runs) -> None:
    wrong = [any(v != "tie" for v in _judge(runs, sweep)) for sweep in range(SWEEPS)]
    assert np.mean(wrong) <= 0.03


def test_five_percent_more_work_is_mostly_found(runs: Runs) -> None:
    found = [_judge(runs, sweep, math.log(1.05))[0] for sweep in range(200)]
    assert found.count("slower") >= 0.95 * len(found)


def test_calls_of_two_boxes_compared_without_turns_are_mostly_wrong(runs: Runs) -> None:
    """For contrast: what tools do that take calls for independent, here on the calls of the first round."""
    calls = np.exp(runs.measured.own[:, 0]).reshape(SWEEPS, CLONES + 2, -1)
    clones, baseline = calls[:, :CLONES], calls[:, -1:]
    wrong_by_t = stats.ttest_ind(clones, np.broadcast_to(baseline, clones.shape), axis=-1).pvalue < 0.05
    wrong_by_ranks = stats.mannwhitneyu(clones, baseline, axis=-1).pvalue < 0.05
    assert wrong_by_t.mean() > 0.4
    assert wrong_by_ranks.mean() > 0.5


def test_pairs_of_calls_scatter_less_than_turns_or_means() -> None:
    paired = _run(Machine(box=0.0), clones=1)
    differences = paired.measured.own - paired.measured.partner
    assert np.std(np.median(differences.mean(axis=-1), axis=-1)) > 4 * np.std(paired.ratios)
    assert np.std(differences.mean(axis=(-2, -1))) > 8 * np.std(paired.ratios)


def _is_narrow(runs: Runs, sweep: int, rounds: int) -> bool:
    estimates = (estimate_ratio(runs.of(sweep, clone, rounds)) for clone in range(3))
    return all(e is not None and e.half_width is not None and e.half_width < ENOUGH for e in estimates)


def test_stopping_when_the_intervals_are_narrow_enough_keeps_their_coverage() -> None:
    """measure=thorough, on a machine on which that takes some 13 rounds."""
    runs = _run(Machine(box=0.021), rounds=MAX_ROUNDS, clones=3, seed=2)
    looks = range(ROUNDS, MAX_ROUNDS)
    stops = [next((n for n in looks if _is_narrow(runs, sweep, n)), MAX_ROUNDS) for sweep in range(SWEEPS)]
    hits = [_covers(estimate_ratio(runs.of(s, clone, n))) for s, n in enumerate(stops) for clone in range(3)]
    assert 10 < np.mean(stops) < 16
    assert 0.92 <= np.mean(hits) <= 0.98
