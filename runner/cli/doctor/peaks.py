"""The measured peaks for each number of threads."""

from __future__ import annotations

from dataclasses import asdict

from runner.cli.doctor.fact import Fact, Section
from runner.results.format import pluralize
from runner.sweep.peaks import Peaks

_SCALES = 0.75  # of what this many single threads would reach together


def thread_counts(cores: int) -> list[int]:
    """Return 1, 2, 4 … and all cores: enough to see how the peaks scale."""
    counts = {1 << power for power in range(cores.bit_length()) if 1 << power <= cores}
    return sorted(counts | {cores})


def peaks_section(found: list[Peaks], kind: str) -> Section:
    """Show the peaks of each number of threads, as measured in boxes of this kind."""
    facts = [Fact("Measured", f"matrix products at model shapes, in GFLOP/s; best of some seconds (box: {kind})")]
    facts += [_fact(peaks, found[0]) for peaks in found]
    return Section("Peaks", facts, {"peaks": [asdict(peaks) for peaks in found]})


def _fact(peaks: Peaks, one: Peaks) -> Fact:
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
    return Fact(name, "  ".join([*rates, memory]), _cannot_pay(peaks) if peaks is one else _scaling(peaks, one))


def _scaling(peaks: Peaks, one: Peaks) -> str | None:
    """Return advice if more threads gain too little: products of these sizes use all cores that they can get."""
    reached, single = peaks.float32_flops_per_second, one.float32_flops_per_second
    if not reached or not single or reached >= _SCALES * peaks.threads * single:
        return None
    ratio = reached / single
    return (
        f"Only {ratio:.1f}× one thread: something else ran meanwhile, or still runs. `pinbox doctor --fresh` measures "
        "again."
    )


def _cannot_pay(peaks: Peaks) -> str | None:
    """Say which precisions cannot pay on this CPU, with any variant."""
    float32 = peaks.float32_flops_per_second or 0.0
    slower = [
        name
        for name, rate in (("bfloat16", peaks.bfloat16_flops_per_second), ("int8", peaks.int8_flops_per_second))
        if rate and rate < float32
    ]
    return f"{' and '.join(slower)} is slower than float32 on this CPU: leave it out of grids." if slower else None
