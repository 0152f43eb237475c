"""Compare a trial's computing rate with the machine's peaks, and find rates and precisions that cannot be true."""

from __future__ import annotations

from runner.models.flops import CallFlops
from runner.results.records.trial import Rates
from runner.sweep.peaks import Peaks

TOLERANCE = 1.25  # a peak is measured for a few seconds, perhaps on a busy machine, so it may be too low


def rates(flops: CallFlops | None, mean_seconds: float | None, precision: str | None, peaks: Peaks) -> Rates:
    """Return a trial's FLOPs and computing rates. A value that is not known is None.

    Args:
        flops: the FLOPs of a mean call, or None if they cannot be counted.
        mean_seconds: the mean time of the engine's own part of the timed calls.
        precision: the precision in which the engine computes, or None if it is not known.
        peaks: the peaks of this machine with the trial's number of threads.
    """
    if flops is None or mean_seconds is None:
        return Rates()
    padded_per_second = flops.padded / mean_seconds
    peak = peaks.limit_for(precision) if precision else None
    return Rates(
        flops_per_call=flops.useful,
        padded_flops_per_call=flops.padded,
        flops_per_second=flops.useful / mean_seconds,
        padded_flops_per_second=padded_per_second,
        peak_fraction=padded_per_second / peak if peak else None,
    )


def impossible_rate(padded_flops_per_second: float | None, precision: str | None, peaks: Peaks) -> str | None:
    """Return why this rate cannot be true, or None if it can be.

    A rate that cannot be true means that the timing, the count of FLOPs or the precision is wrong. The limit is the
    measured peak times `TOLERANCE`.
    """
    limit = peaks.limit_for(precision)
    if padded_flops_per_second is None or limit is None or padded_flops_per_second <= TOLERANCE * limit:
        return None
    return (
        f"computed {padded_flops_per_second / 1e9:.0f} GFLOP/s, but this machine's peak in "
        f"{precision or 'any precision'} is {limit / 1e9:.0f}: the timing or the count of FLOPs is wrong"
    )


def wrong_precision(declared: str | None, effective: str | None) -> str | None:
    """Return how the engine's precision differs from the declared one, or None if it does not or is not known."""
    if declared is None or effective is None or declared == effective:
        return None
    return f"the technique declares {declared} matrix products, but the engine runs {effective}"
