"""How near a trial came to what the machine can do, and what no honest trial can show."""

from __future__ import annotations

from runner.models.flops import CallFlops
from runner.results.records.trial import Rates
from runner.sweep.peaks import Peaks

TOLERANCE = 1.25  # a peak is the best of some seconds on a machine that may be busy: it may be measured too low


def rates(flops: CallFlops | None, mean_seconds: float | None, precision: str | None, peaks: Peaks) -> Rates:
    """Return how much a trial computed; None where that is not known.

    Args:
        flops: of a mean call; None where they cannot be counted.
        mean_seconds: mean latency of the timed calls.
        precision: what the engine computes in, None if not known.
        peaks: of this machine with the trial's threads.
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
    """Return why this rate cannot be true, or None: then the timing, the FLOPs or the precision are wrong.

    The limit is the measured peak and a quarter more (`TOLERANCE`).
    """
    limit = peaks.limit_for(precision)
    if padded_flops_per_second is None or limit is None or padded_flops_per_second <= TOLERANCE * limit:
        return None
    return (
        f"computed {padded_flops_per_second / 1e9:.0f} GFLOP/s, but this machine's peak in "
        f"{precision or 'any precision'} is {limit / 1e9:.0f}: the timing or the count of FLOPs is wrong"
    )


def wrong_precision(declared: str | None, effective: str | None) -> str | None:
    """Return how the engine's precision differs from what the technique declares, or None; unknown is no difference."""
    if declared is None or effective is None or declared == effective:
        return None
    return f"asked for {declared} matrix products, the engine runs {effective}"
