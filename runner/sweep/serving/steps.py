"""Decide what to measure next in the search for a configuration. Pure functions of the measurements so far.

The search goes from coarse to fine. It measures the calls of all variants, which takes seconds, and lets a queueing
model rank their configurations. Then only the best configurations get real load, which takes a minute or two for each.
The most promising one comes first. The results correct the model: the ratio of a variant's measured capacity to the
predicted one is also applied to its other configurations. When the corrected model expects no other configuration to be
better, the best ones get further rounds, and the search ends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from runner.recommend.queueing import Model
from runner.results.format import listed, pluralize
from runner.sweep.serving.configuration import BATCH, Configuration, Variant, Wanted
from runner.sweep.serving.measured import BATCHES, Measured

ROUNDS = 3  # the number of rounds of the best configurations
_NEAR = 2.0  # a variant is left out if the model expects the best one to hold more than this many times as much
_MOST_VARIANTS = 6  # the largest number of variants that get real load
_OPTIMISM = 1.35  # a factor on the model's expectation before real load corrects it, as its errors reach a third
_WORTH = 1.05  # a configuration is tried if it is expected to hold more than this many times as much as the best one
_CONTENDERS = 2  # the number of configurations that get further rounds
_CLOSE = 0.85  # a configuration that holds at least this share of the best capacity is a contender
_AT_ONCE = 2  # the number of configurations in a step; it is small, so that each step corrects the model


@dataclass(frozen=True)
class Step:
    """A sweep of the search.

    Attributes:
        title: its purpose in one line.
        blocks: the blocks of its grid.
        is_open: whether the load is open.
        rounds: the number of rounds, with those of earlier steps.
        has_baseline: whether the baseline is measured, too. The quality of variants is compared with the baseline's.
    """

    title: str
    blocks: list[dict[str, Any]]
    is_open: bool
    rounds: int = 1
    has_baseline: bool = False


@dataclass
class Proposals:
    """The configurations that are worth real load, and what the model expects of them.

    Attributes:
        wanted: the goal of the search.
        _expected: the expected capacity of each configuration in requests a second. It is kept, because a simulation
            takes a second and its result does not change.
    """

    wanted: Wanted
    _expected: dict[tuple[Configuration, float], float] = field(default_factory=dict)

    def next_step(self, known: Measured, can_explore: bool) -> Step | None:
        """Return what to measure next, or None if the search is over.

        Args:
            known: the measurements so far.
            can_explore: whether there is time to try another configuration, in addition to further rounds.
        """
        new = [variant for variant in self.wanted.variants if variant not in known.calls.keys() | known.failed]
        if new:
            threads = listed([str(number) for number in self.wanted.threads])
            threads += " thread" if self.wanted.threads == [1] else " threads"
            title = f"Calls of {pluralize(len(self.wanted.techniques), 'technique')}, with {threads}."
            return Step(title, [variant.block for variant in new], is_open=False, has_baseline=True)
        variants = self.variants(known)
        new = [variant for variant in variants if variant not in known.batched]
        if new:
            title = f"Calls with several requests, of the {pluralize(len(new), 'best variant')}."
            workload = {"workload.name": BATCHES, "workload.batch_size": BATCH}
            return Step(title, [variant.block | workload for variant in new], is_open=False)
        promising = self._promising(known, variants)[:_AT_ONCE]
        if promising and (can_explore or not known.capacities):
            names = [f"{one.label} (expected: {self.corrected(known, one):.3g}/s)" for one in promising]
            return Step(f"Real load on {listed(names, '; ')}.", [one.block for one in promising], is_open=True)
        contenders = [one for one in contenders_of(known) if known.capacities[one].rounds < ROUNDS]
        if contenders:
            title = f"Further rounds of {listed([one.label for one in contenders], '; ')}."
            return Step(title, [one.block for one in contenders], is_open=True, rounds=ROUNDS)
        return None

    def variants(self, known: Measured) -> list[Variant]:
        """Return the variants that get real load, the best first."""
        plain = {
            variant: self.expected(known, next(self.wanted.configurations(variant)))
            for variant in self.wanted.variants
            if variant in known.calls and variant.technique not in known.inaccurate
        }
        best = max(plain.values(), default=0.0)
        near = [variant for variant, expected in plain.items() if expected > 0 and expected * _NEAR >= best]
        return sorted(near, key=lambda variant: -plain[variant])[:_MOST_VARIANTS]

    def expected(self, known: Measured, one: Configuration) -> float:
        """Return the capacity that the model alone expects for a configuration."""
        calls = known.calls[one.variant]
        key = one, calls.growth
        if key not in self._expected:
            model = Model(calls, one.workers, one.max_batch_size, one.max_wait_milliseconds / 1000)
            self._expected[key] = model.capacity(self.wanted.objective)
        return self._expected[key]

    def corrected(self, known: Measured, one: Configuration) -> float:
        """Return the capacity that the model expects for a configuration, corrected by the results of real load."""
        return self.expected(known, one) * self._correction(known, one.variant)

    def _correction(self, known: Measured, variant: Variant) -> float:
        """Return the measured capacity ÷ the predicted one: the median of a variant, or else the median of all."""
        own = self._corrections(known, {variant})
        return median(own or self._corrections(known, known.calls.keys()) or [1.0])

    def _corrections(self, known: Measured, variants: Set[Variant]) -> list[float]:
        pairs = [
            (capacity.per_second, self.expected(known, one))
            for one, capacity in known.capacities.items()
            if one.variant in variants & known.calls.keys()
        ]
        return [held / expected for held, expected in pairs if held > 0 and expected > 0]

    def _promising(self, known: Measured, variants: Sequence[Variant]) -> list[Configuration]:
        """Return one configuration of each variant that may be the best one of all, the most promising first."""
        best = max((capacity.per_second for capacity in known.capacities.values()), default=0.0)
        hopes: list[tuple[float, Configuration]] = []
        for variant in variants:
            optimism = 1.0 if self._corrections(known, {variant}) else _OPTIMISM
            untried = [one for one in self.wanted.configurations(variant) if one not in known.capacities]
            expected = {one: optimism * self.corrected(known, one) for one in untried}
            first = max(untried, key=lambda one: expected[one], default=None)  # if equal, without batching
            if first is not None and expected[first] > _WORTH * best:
                hopes.append((expected[first], first))
        return [one for _, one in sorted(hopes, key=lambda hope: -hope[0])]


def contenders_of(known: Measured) -> list[Configuration]:
    """Return the best configurations, which hold about as much as the best one."""
    ranked = sorted(known.capacities, key=lambda one: -known.capacities[one].per_second)
    best = max((capacity.per_second for capacity in known.capacities.values()), default=math.inf)
    return [one for one in ranked if known.capacities[one].per_second >= _CLOSE * best > 0][:_CONTENDERS]
