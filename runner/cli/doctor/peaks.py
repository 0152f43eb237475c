"""Report the measured peaks for each number of threads."""

from __future__ import annotations

from dataclasses import asdict

from runner.cli.doctor.fact import Fact, Section
from runner.results.format import pluralize
from runner.sweep.peaks import Peaks

_MIN_SCALING = 0.75  # the fraction of the single-thread peak that each thread should reach


def thread_counts(cores: int) -> list[int]:
    """Return the numbers of threads for which peaks are measured: 1, 2, 4 … and all cores."""
    counts = {1 << power for power in range(cores.bit_length()) if 1 << power <= cores}
    return sorted(counts | {cores})


def peaks_section(measured: list[Peaks], kind: str) -> Section:
    """Report the peaks for each number of threads, measured in boxes of this kind."""
    facts = [Fact("Measured", f"matrix products at model shapes, in GFLOP/s; best of a few seconds (box: {kind})")]
    facts += [_fact(peaks, measured[0]) for peaks in measured]
    return Section("Peaks", facts, {"peaks": [asdict(peaks) for peaks in measured]})


def _fact(peaks: Peaks, single: Peaks) -> Fact:
    name = pluralize(peaks.threads, "thread")
    if peaks.error:
        return Fact(name, "could not be measured", peaks.error)
    rates = [
        f"{title} {rate / 1e9:.{0 if rate > 1e10 else 1}f}" if rate else f"{title} –"
        for title, rate in (
            ("float32", peaks.float32_flops_per_second),
            ("bfloat16", peaks.bfloat16_flops_per_second),
            ("int8", peaks.int8_flops_per_second),
        )
    ]
    bandwidth = peaks.bandwidth_bytes_per_second
    memory = f"memory {bandwidth / 1e9:.0f} GB/s" if bandwidth else "memory –"
    return Fact(
        name, "  ".join([*rates, memory]), _slow_precisions(peaks) if peaks is single else _scaling(peaks, single)
    )


def _scaling(peaks: Peaks, single: Peaks) -> str | None:
    """Return advice if more threads gain too little. Products of these sizes can use all cores."""
    rate, single_rate = peaks.float32_flops_per_second, single.float32_flops_per_second
    if not rate or not single_rate or rate >= _MIN_SCALING * peaks.threads * single_rate:
        return None
    return (
        f"Only {rate / single_rate:.1f}× one thread: another program ran during the measurement. `pinbox doctor "
        "--fresh` measures again."
    )


def _slow_precisions(peaks: Peaks) -> str | None:
    """Return advice if precisions are slower than float32 on this CPU, so that no variant gains from them."""
    float32 = peaks.float32_flops_per_second or 0.0
    slower = [
        name
        for name, rate in (("bfloat16", peaks.bfloat16_flops_per_second), ("int8", peaks.int8_flops_per_second))
        if rate and rate < float32
    ]
    return f"{' and '.join(slower)} is slower than float32 on this CPU: leave it out of grids." if slower else None
