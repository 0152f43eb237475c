"""Numbers as people read them: three significant digits, one unit, a dash for what is not known."""

from __future__ import annotations

import math
from collections.abc import Sequence

UNKNOWN = "–"
MAX_NAMED = 3  # names in a sentence; it counts the others
_ABSURD = 10_000  # times as fast, or as slow; no real variant is


def significant(value: float, digits: int = 3) -> str:
    """Return a number with that many significant digits, never in scientific notation."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    rounded = float(f"{value:.{digits - 1}e}")  # first, so that 0.9996 is counted as 1.00
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(rounded))))
    return f"{value:,.{decimals}f}"


def milliseconds(seconds: float | None) -> str:
    """Return a duration in ms."""
    return UNKNOWN if seconds is None else f"{significant(seconds * 1e3)} ms"


def seconds(value: float | None) -> str:
    """Return a duration in s."""
    return UNKNOWN if value is None else f"{significant(value)} s"


def per_second(rate: float | None) -> str:
    """Return a rate as 120 /s."""
    return UNKNOWN if rate is None else f"{significant(rate)} /s"


def megabytes(size_bytes: float | None) -> str:
    """Return a size in MB of 10⁶ bytes."""
    return UNKNOWN if size_bytes is None else f"{significant(size_bytes / 1e6)} MB"


def gibibytes(size_bytes: float | None) -> str:
    """Return a size in GiB of 2³⁰ bytes."""
    return UNKNOWN if size_bytes is None else f"{size_bytes / 2**30:.1f} GiB"


def gigaflops(flops_per_second: float | None) -> str:
    """Return a rate in GFLOP/s of 10⁹ operations."""
    return UNKNOWN if flops_per_second is None else f"{significant(flops_per_second / 1e9)} GFLOP/s"


def percent(fraction: float | None) -> str:
    """Return a fraction as a percentage."""
    return UNKNOWN if fraction is None else f"{fraction * 100:.1f}%"


def points(fraction: float | None) -> str:
    """Return a difference of two fractions in percentage points, with its sign."""
    return UNKNOWN if fraction is None else signed(fraction * 100, 1)


def in_points(fraction: float) -> str:
    """Return a difference of two fractions, which is not negative, as '1 point' or '0.8 points'."""
    number = f"{100 * fraction:.2g}"
    return f"{number} point" if number == "1" else f"{number} points"


def rounded_up(number: int) -> str:
    """Return a number that is not known exactly: two digits, rounded up."""
    step = 10 ** max(0, len(str(number)) - 2)
    return f"{math.ceil(number / step) * step:,}"


def signed(value: float, decimals: int) -> str:
    """Return a difference with its sign; one that rounds to zero has none."""
    text = f"{value:+.{decimals}f}"
    return text.replace("-", "−") if float(text) else text[1:]


def of_baseline(ratio: float | None) -> str:
    """Return figure ÷ baseline's figure, as ×0.25; empty where it is not known."""
    return "" if ratio is None else f"×{significant(ratio)}"


def speedup(latency_ratio: float | None) -> str:
    """Return baseline ÷ variant, as 2.50×: the inverse of a latency ratio."""
    return UNKNOWN if latency_ratio is None else f"{significant(1 / latency_ratio)}×"


def speedup_interval(ratio_low: float | None, ratio_high: float | None) -> str:
    """Return the interval of a speedup from that of the latency ratio; empty where there is none.

    An end that is beyond any real speedup is shown as <0.0001 or >10,000: the sweep gives no information there.
    """
    if ratio_low is None or ratio_high is None:
        return ""
    low = significant(1 / ratio_high) if ratio_high < _ABSURD else f"<{1 / _ABSURD:g}"
    high = significant(1 / ratio_low) if ratio_low > 1 / _ABSURD else f">{_ABSURD:,}"
    return f"{low}–{high}"


def pluralize(number: int, noun: str) -> str:
    """Return a number with its noun, as '1 thread' or '2 threads'."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(names: Sequence[str], separator: str = ", ") -> str:
    """Return the first MAX_NAMED names and the number of the others, as 'a, b, c and 2 more'."""
    more = len(names) - MAX_NAMED
    return separator.join(names[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


def short_id(value: str | None) -> str:
    """Return the first 12 digits of a hash, without the name of its algorithm."""
    return UNKNOWN if not value else value.rpartition(":")[2][:12]
