"""The steps of the search, on services whose capacities are known: what it tries, what it leaves out, when it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from runner.recommend import queueing
from runner.recommend.capacity import Capacity, Objective
from runner.recommend.queueing import Calls, Model
from runner.sweep.serving.configuration import Configuration, Variant, Wanted, configuration_of
from runner.sweep.serving.measured import BATCHES, Measured
from runner.sweep.serving.steps import ROUNDS, Proposals, Step, contenders_of

OBJECTIVE = Objective(99.0, 0.05)
SECONDS = {"slow": 0.02, "middle": 0.006, "fast": 0.004, "wrong": 0.001}


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate fewer requests: here the model is right by definition, up to the errors that a test gives it."""
    monkeypatch.setattr(queueing, "_REQUESTS", 1000)


def capacity(one: Configuration, per_second: float, rounds: int = 1) -> Capacity:
    threads, wait = one.variant.threads, one.max_wait_milliseconds / 1000
    return Capacity(OBJECTIVE, one.workers, threads, one.max_batch_size, wait, per_second, None, None, rounds)


class World:
    """Services whose capacity is that of the model, times an error of their own, and how they get known.

    Attributes:
        tried: the configurations that got real load, in order.
    """

    def __init__(self, wanted: Wanted, error: Callable[[Configuration], float], growth: float = 1.0) -> None:
        self.wanted, self.known, self.tried = wanted, Measured(), list[Configuration]()
        self._error, self._growth = error, growth

    def run(self, can_explore: bool = True) -> list[Step]:
        """Do what the search asks for, until it asks for nothing more."""
        proposals, steps = Proposals(self.wanted), list[Step]()
        while step := proposals.next_step(self.known, can_explore):
            assert step not in steps
            steps.append(step)
            for block in step.blocks:
                self._measure(step, block)
        return steps

    def _measure(self, step: Step, block: dict[str, object]) -> None:
        variant = Variant(str(block["technique"]), int(str(block["threads"])))
        if not step.is_open:
            self._call(variant, "workload.name" in block)
            return
        (one,) = (c for c in self.wanted.configurations(variant) if c.block == block)
        calls = self.known.calls[variant]
        model = Model(calls, one.workers, one.max_batch_size, one.max_wait_milliseconds / 1000)
        held = capacity(one, self._error(one) * model.capacity(OBJECTIVE), step.rounds)
        self.known = replace(self.known, capacities={**self.known.capacities, one: held})
        self.tried += [one] if step.rounds == 1 else []

    def _call(self, variant: Variant, is_batch: bool) -> None:
        seconds = SECONDS[variant.technique] / (0.2 + 0.8 * variant.threads)  # threads pay, but not in full
        calls = Calls(np.array([0.9 * seconds, 1.1 * seconds]), self._growth if is_batch else 1.0)
        self.known = replace(self.known, calls={**self.known.calls, variant: calls})
        if is_batch:
            self.known = replace(self.known, batched=self.known.batched | {variant})


def exact(one: Configuration) -> float:
    return 1.0


def test_it_goes_from_calls_to_real_load_to_further_rounds() -> None:
    world = World(Wanted(["slow", "middle", "fast"], 1, OBJECTIVE), exact)
    steps = world.run()
    assert [step.is_open for step in steps] == sorted(step.is_open for step in steps)
    assert all("workload.name" not in block for block in steps[0].blocks)
    assert {block["workload.name"] for block in steps[1].blocks} == {BATCHES}
    assert "slow" not in {block["technique"] for step in steps[1:] for block in step.blocks}
    assert steps[-1].rounds == ROUNDS
    assert contenders_of(world.known)[0].variant.technique == "fast"


@pytest.mark.parametrize("seed", range(6))
def test_it_finds_the_best_one_though_the_model_is_off_by_a_quarter(seed: int) -> None:
    chance = np.random.default_rng(seed)
    errors = {technique: float(np.exp(chance.uniform(-0.25, 0.25))) for technique in SECONDS}
    wanted = Wanted(list(SECONDS), 4, OBJECTIVE)
    world = World(wanted, lambda one: errors[one.variant.technique], growth=0.7)
    world.run()
    every = World(wanted, lambda one: errors[one.variant.technique], growth=0.7)
    for variant in wanted.variants:
        every._call(variant, is_batch=True)
        for one in wanted.configurations(variant):
            every._measure(Step("", [], is_open=True), one.block)
    best = max(held.per_second for held in every.known.capacities.values())
    found = max(held.per_second for held in world.known.capacities.values())
    assert found > 0.94 * best
    assert len(world.tried) < len(every.tried) / 3


def test_batches_are_tried_where_they_save_something_and_only_there() -> None:
    saving = World(Wanted(["fast"], 1, OBJECTIVE), exact, growth=0.2)
    saving.run()
    assert {one.max_batch_size for one in saving.tried} >= {8}
    nothing = World(Wanted(["fast"], 1, OBJECTIVE), exact, growth=1.0)
    nothing.run()
    assert {one.max_batch_size for one in nothing.tried} == {1}


def test_what_real_load_shows_of_a_variant_corrects_its_other_configurations() -> None:
    wanted = Wanted(["fast"], 1, OBJECTIVE)
    variant = Variant("fast", 1)
    plain, batching, _ = wanted.configurations(variant)
    known = Measured(calls={variant: Calls(np.array([0.004]), 0.5)}, batched=frozenset({variant}))
    proposals = Proposals(wanted)
    before = proposals.corrected(known, batching)
    held = 0.8 * proposals.expected(known, plain)
    after = proposals.corrected(replace(known, capacities={plain: capacity(plain, held)}), batching)
    assert after == pytest.approx(0.8 * before)


def test_techniques_that_lose_accuracy_and_those_that_failed_get_no_load() -> None:
    wanted = Wanted(["wrong", "fast", "broken"], 1, OBJECTIVE)
    world = World(wanted, exact)
    world.known = Measured(failed=frozenset({Variant("broken", 1)}), inaccurate=frozenset({"wrong"}))
    steps = world.run()
    assert {block["technique"] for block in steps[0].blocks} == {"wrong", "fast"}
    assert {one.variant.technique for one in world.tried} == {"fast"}


def test_without_time_one_step_of_load_is_tried_and_repeated() -> None:
    world = World(Wanted(["middle", "fast"], 2, OBJECTIVE), exact, growth=0.2)
    steps = world.run(can_explore=False)
    assert [step.rounds for step in steps if step.is_open] == [1, ROUNDS]


def test_nothing_is_tried_if_no_call_is_fast_enough() -> None:
    world = World(Wanted(["slow"], 1, Objective(99.0, 0.05)), exact)
    world.known = Measured(calls={Variant("slow", 1): Calls(np.array([0.2]))})
    assert world.run() == []


def test_a_service_uses_all_cores() -> None:
    wanted = Wanted(["fast"], 6, OBJECTIVE)
    assert wanted.threads == [1, 2, 4, 6]
    plain = [next(wanted.configurations(variant)) for variant in wanted.variants]
    assert [(one.workers, one.variant.threads) for one in plain] == [(6, 1), (3, 2), (1, 4), (1, 6)]


def test_a_measured_configuration_is_the_one_that_was_asked_for() -> None:
    for one in Wanted(["fast"], 2, Objective(99.0, 0.0333)).configurations(Variant("fast", 2)):
        assert configuration_of("fast", capacity(one, 1.0)) == one
