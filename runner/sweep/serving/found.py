"""Describe the results of a step of the search for a configuration in one line. Pure functions of measurements."""

from __future__ import annotations

from statistics import fmean

from runner.recommend.rate_terminal import interval
from runner.results.format import listed, milliseconds, per_second, pluralize, significant
from runner.sweep.serving.configuration import BATCH
from runner.sweep.serving.measured import Measured


def found(before: Measured, after: Measured) -> str:
    """Return a line with the new results of a step.

    Args:
        before: the measurements before the step.
        after: the measurements after the step.
    """
    sentences = [*_calls(before, after), *_batches(before, after), *_capacities(before, after)]
    return " ".join(sentences) or "Nothing new was found."


def _calls(before: Measured, after: Measured) -> list[str]:
    """Return which variant has the fastest calls, and which techniques are left out."""
    sentences = []
    new = after.calls.keys() - before.calls.keys()
    if new:
        means = {variant: fmean(after.calls[variant].seconds) for variant in new}
        best = min(means, key=lambda variant: means[variant])
        threads = pluralize(best.threads, "thread")
        sentences.append(f"The fastest calls: {best.technique} with {threads}, {milliseconds(means[best])} on average.")
    if failed := sorted({variant.technique for variant in after.failed - before.failed}):
        sentences.append(f"Failed: {listed(failed)}.")
    if inaccurate := sorted(after.inaccurate - before.inaccurate):
        sentences.append(f"Left out, because they seem to lose more than the margin: {listed(inaccurate)}.")
    return sentences


def _batches(before: Measured, after: Measured) -> list[str]:
    """Return how much longer a call with several requests takes than a call with one request."""
    new = sorted(after.batched - before.batched)
    times = {variant: 1 + after.calls[variant].growth * (BATCH - 1) for variant in new if variant in after.calls}
    if not times:
        return []
    least, most = min(times.values()), max(times.values())
    ratio = significant(least, 2) if len(times) == 1 else f"{significant(least, 2)} to {significant(most, 2)}"
    return [f"A call with {BATCH} requests takes {ratio} times as long as a call with one."]


def _capacities(before: Measured, after: Measured) -> list[str]:
    """Return the capacity of each configuration that got real load."""
    new = [one for one, capacity in after.capacities.items() if before.capacities.get(one) != capacity]
    ranked = sorted(new, key=lambda one: -after.capacities[one].per_second)
    sentences = []
    for one in ranked:
        capacity = after.capacities[one]
        if not capacity.per_second:
            sentences.append(f"{one.label}: does not keep the objective at any rate.")
            continue
        ends = "" if capacity.low is None else f" ({interval(capacity)})"
        sentences.append(f"{one.label}: holds {per_second(capacity.per_second)}{ends}.")
    return sentences
