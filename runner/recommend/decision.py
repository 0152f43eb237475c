"""The variants that can be chosen, and how their figures scatter.

All values that are resampled are whole numbers: how far each round was from the middle of its job, in steps of 10⁻⁵,
and one bit for each example. Sums of whole numbers are exact in any order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

import numpy as np

from runner.recommend.capacity import Capacity
from runner.recommend.limits import EPSILON, MEASURES, Measure
from runner.recommend.margin import Loss
from runner.results.score import Score

STEP: Final = 1e-5  # of a logarithm, or of a ratio to the job's median


@dataclass(frozen=True)
class Block:
    """The jobs that share a baseline, and so its rounds.

    Attributes:
        rounds: how many rounds are included.
        clock: per round, how far the log of the baseline's median latency was from its middle, in steps.
        noise_floor: the ratio above 1 that identical code can still show; None if it is not known.
        mistakes: the packed mistakes of the baseline; None if they are not known.
        baseline: the label of the baseline.
        baseline_seconds: its latencies that the variants' are computed from, such as p99, by name.
    """

    rounds: int
    clock: Sequence[int]
    noise_floor: float | None
    mistakes: bytes | None
    baseline: str = ""
    baseline_seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Variant:
    """A job without failures, which may be chosen.

    Attributes:
        label: its name, unique within its data.
        latency_seconds: latency ratio × the baseline's median latency; the job's own median where there is no ratio.
        paired: whether latency_seconds comes from a ratio, so that it scatters with the clock of its block.
        values: the measures that are known, by name.
        mistakes: the packed mistakes; None if they are not known.
        latency_steps: per round, how far the log latency was from its mean, in steps.
        ratio_steps: per round, how far the tails of the latency and the memory were from their middle, by the measure's
            name, in steps.
        capacity: the rate that it holds under an open load; None if it was not measured.
        job: the key of its job.
        reasons: why a measure is not known, by its name.
        tested: the loss of quality, with a value only if it is certified; None for a baseline and if it is not known.
    """

    label: str
    threads: int
    block: Block
    latency_seconds: float
    paired: bool
    values: Mapping[str, float]
    mistakes: bytes | None
    latency_steps: Sequence[int]
    ratio_steps: Mapping[str, Sequence[int]]
    capacity: Capacity | None = None
    job: str = ""
    reasons: Mapping[str, str] = field(default_factory=dict)
    tested: Loss | None = None

    @property
    def log_latency(self) -> int:
        """Return the logarithm of the latency, in steps."""
        return to_steps(math.log(self.latency_seconds))

    def excess(self, measure: Measure, limit: float) -> float:
        """Return by which fraction of the limit the variant misses it: 0 if not at all, infinite if it is unknown."""
        value = self.values.get(measure.name)
        return math.inf if value is None else float(excess(np.array(value), measure, limit))


@dataclass(frozen=True)
class DecisionData:
    """The jobs of one family, task, workload and isolation: the variants of one choice.

    Attributes:
        variants: the jobs without failures, the fastest first.
        failed: label and problem of the other jobs.
        texts: how many texts were evaluated; 0 if none.
        examples: how many of their examples have a bit in the packed mistakes.
        longest_tokens: the longest input that the memory peaks cover, in tokens; None if it is unknown for one.
        saturation: a sentence that names the variants whose int8 products may saturate; empty if there is none.
        score: the measure of quality; None if no variant has a score.
        margin: the margin of the tests of the quality; None if nothing was tested.
    """

    title: str
    isolation: str
    batch_size: int
    variants: Sequence[Variant]
    failed: Sequence[tuple[str, str]]
    texts: int
    examples: int
    longest_tokens: int | None
    saturation: str
    score: Score | None = None
    margin: float | None = None

    @cached_property
    def measures(self) -> list[Measure]:
        """Return the measures that can be limited, with the score by its own name and in its own unit."""
        return measures_with(self.score)

    @property
    def resampled(self) -> str:
        """Return what the bootstrap resamples. The texts of judged tasks are not resampled."""
        return "rounds and texts" if self.examples else "rounds"

    @cached_property
    def blocks(self) -> list[Block]:
        """Return the blocks of the variants, each once."""
        return list({id(variant.block): variant.block for variant in self.variants}.values())

    def cost(self, place: int, core_hour: float) -> float:
        """Return the price of a million texts: all cores of a variant at full use, for as long as they take."""
        variant = self.variants[place]
        return core_hour * variant.threads * variant.latency_seconds / 3600 / self.batch_size * 1e6


def measures_with(score: Score | None) -> list[Measure]:
    """Return the measures that can be limited, with this score by its own name and in its own unit."""
    if score is None:
        return [*MEASURES]
    return [
        replace(one, title=score.title, unit=score.unit, factor=score.factor) if one.name == "score" else one
        for one in MEASURES
    ]


def to_steps(value: float) -> int:
    """Return a difference of logarithms, or of ratios, in steps."""
    return round(value / STEP)


def excess(values: np.ndarray, measure: Measure, limit: float) -> np.ndarray:
    """Return by which fraction of the limit each value misses it; 0 if it keeps it."""
    missed = (limit - values if measure.at_least else values - limit) / max(limit, measure.smallest)
    return np.where(missed > EPSILON, missed, 0.0)
