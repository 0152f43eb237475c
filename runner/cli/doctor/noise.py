"""Measure how steadily a core runs, by repeating the reference kernel of the trials for a few seconds."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import accumulate
from math import exp, log, sqrt
from statistics import fmean, median, pstdev

from runner.cli.doctor.fact import Fact, Section
from runner.results.format import pluralize
from runner.trial.box import steal_seconds
from runner.trial.timing import reference_seconds

SECONDS = 5.0
_MAX_SPREAD = 0.10  # a core with a larger spread is unsteady
_MAX_STEAL_FRACTION = 0.01  # the doctor gives advice if a larger fraction of the time is stolen
_MIN_SAMPLES = 20  # the number of samples that are needed to distinguish two speeds
_MAX_LOAD = 0.5  # if more tasks run or wait, another program is running


@dataclass(frozen=True)
class Noise:
    """The result of a probe.

    Attributes:
        median_seconds, p5_seconds, p95_seconds: percentiles of the kernel's durations.
        speed_ratio: the ratio of the two speeds between which the core alternates, or None if it has one speed.
        slow_fraction: the fraction of the samples at the slower speed, or None if the core has one speed.
        steal_seconds: the time for which the hypervisor gave the core to others, or None if it is not known.
        probe_seconds: the duration of the probe.
    """

    median_seconds: float
    p5_seconds: float
    p95_seconds: float
    speed_ratio: float | None
    slow_fraction: float | None
    steal_seconds: float | None
    probe_seconds: float

    @property
    def spread(self) -> float:
        """Return the distance from the 5th to the 95th percentile, as a fraction of the median."""
        return (self.p95_seconds - self.p5_seconds) / self.median_seconds


def probe(cpu: int, seconds: float = SECONDS, kernel: Callable[[], float] = reference_seconds) -> Noise:
    """Run the kernel on one CPU for a number of seconds."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        steal, began = steal_seconds([cpu]), time.monotonic()
        durations = [kernel()]
        while time.monotonic() - began < seconds:
            durations.append(kernel())
        after, probe_seconds = steal_seconds([cpu]), time.monotonic() - began
        stolen = after - steal if steal is not None and after is not None else None
        return evaluate(durations, stolen, probe_seconds)
    finally:
        os.sched_setaffinity(0, allowed)


def evaluate(durations: list[float], steal: float | None, probe_seconds: float) -> Noise:
    """Return the statistics of at least one duration in seconds."""
    ordered = sorted(durations)
    last = len(ordered) - 1
    speeds = two_speeds(ordered)
    return Noise(
        median_seconds=median(ordered),
        p5_seconds=ordered[round(0.05 * last)],
        p95_seconds=ordered[round(0.95 * last)],
        speed_ratio=speeds[0] if speeds else None,
        slow_fraction=speeds[1] if speeds else None,
        steal_seconds=steal,
        probe_seconds=probe_seconds,
    )


def two_speeds(durations: list[float]) -> tuple[float, float] | None:
    """Return the ratio of two speeds and the fraction of samples at the slower speed, or None if there is one speed.

    The logarithms of the samples are divided into two parts so that the variance between the parts is largest (Otsu
    1979). The parts are two speeds if each has a tenth of the samples, if they are 15% apart, and if Ashman's D exceeds
    4. D is the distance of the means in standard deviations (Ashman, Bird & Zepf 1994). The value 2 separates two peaks
    of known shape, but even the halves of a uniform distribution reach 3.5.
    """
    values = sorted(log(duration) for duration in durations)
    count, sums = len(values), list(accumulate(values))
    least = count // 10

    def between(first: int) -> float:
        low, high = sums[first - 1] / first, (sums[-1] - sums[first - 1]) / (count - first)
        return first * (count - first) * (high - low) ** 2

    if count < _MIN_SAMPLES:
        return None
    first = max(range(least, count - least + 1), key=between)
    fast, slow = values[:first], values[first:]
    distance = fmean(slow) - fmean(fast)
    width = sqrt((pstdev(fast) ** 2 + pstdev(slow) ** 2) / 2)
    if distance < log(1.15) or distance <= 4 * width:
        return None
    return exp(distance), len(slow) / count


def noise_section(noise: Noise, cpu: int, load: float) -> Section:
    """Report in plain words how noisy the core is.

    Args:
        noise: the result of the probe.
        cpu: the CPU on which the probe ran.
        load: the average number of tasks that ran or waited in the minute before the probe.
    """
    milliseconds = [1e3 * seconds for seconds in (noise.median_seconds, noise.p5_seconds, noise.p95_seconds)]
    facts = [
        Fact("Probe", f"{noise.probe_seconds:.0f} s of the reference kernel on CPU {cpu}, as trials with one thread"),
        Fact(
            "Kernel", "median {:.3f} ms, p5 {:.3f}, p95 {:.3f}".format(*milliseconds) + f": spread {noise.spread:.1%}"
        ),
        _steadiness(noise, load),
        _steal(noise),
        _load(load),
    ]
    return Section("Noise", facts, asdict(noise) | {"cpu": cpu, "load": load})


def _steadiness(noise: Noise, load: float) -> Fact:
    if noise.speed_ratio and noise.slow_fraction:
        cause = "another program on this machine" if load > _MAX_LOAD else "another guest on the same core"
        speeds = f"{noise.speed_ratio:.2f}× apart, {noise.slow_fraction:.0%} of the time at the slower one"
        return Fact(
            "Verdict",
            f"this core runs at two speeds, {speeds}: probably {cause}",
            "Ratios stay valid, because the two boxes take turns. Do not trust absolute times here.",
        )
    if noise.spread > _MAX_SPREAD:
        return Fact("Verdict", "unsteady", "Intervals will be wide. Use measure=thorough, or a quieter machine.")
    return Fact("Verdict", "steady")


def _steal(noise: Noise) -> Fact:
    if noise.steal_seconds is None:
        return Fact("Steal", "unknown: the kernel does not show it")
    is_high = noise.steal_seconds > _MAX_STEAL_FRACTION * noise.probe_seconds
    advice = "The hypervisor gives this core to others. Expect that rounds are run again." if is_high else None
    return Fact("Steal", f"{noise.steal_seconds:.2f} s of {noise.probe_seconds:.0f} s", advice)


def _load(load: float) -> Fact:
    advice = "Another program is running. Stop it while a sweep runs." if load > _MAX_LOAD else None
    return Fact("Other load", f"{pluralize(round(load), 'task')} on average in the minute before ({load:.2f})", advice)
