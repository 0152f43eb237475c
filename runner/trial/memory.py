"""Measure the memory of this process: the peaks of each phase, and the size over time.

Two kinds of memory are measured. *Resident* memory (VmRSS, with its peak VmHWM) counts all pages that are mapped,
including the pages of files. These are libraries and weights that happen to be in the page cache, and their size
changes by several percent from day to day. *Anonymous* memory (RssAnon, and VmSwap for swapped pages) is allocated by
the process itself, and identical code needs the same amount on every day.

The kernel records the peak of resident memory, which is reset between phases (`man 5 proc`, clear_refs). So no peak is
lost between two samples. The kernel does not record the peak of anonymous memory; see `MemoryWatch.phase_peak`.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import NamedTuple

from runner.results.records.measured import MemorySeries

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_INTERVAL_SECONDS = 0.01


class Peak(NamedTuple):
    """The highest resident and anonymous memory in bytes. A value that the kernel does not show is None."""

    rss_bytes: int | None = None
    rss_anon_bytes: int | None = None

    def or_higher(self, other: Peak) -> Peak:
        """Return the higher of two values for each kind of memory."""
        return Peak(_highest(self.rss_bytes, other.rss_bytes), _highest(self.rss_anon_bytes, other.rss_anon_bytes))


class MemoryWatch:
    """Record the memory's peak in each phase, and samples over time.

    Within the context of `watching`, a thread takes samples. Otherwise only `sample` does, so that nothing polls while
    calls are timed.

    Attributes:
        phases: the phase of each sample.
        seconds: the time of each sample since the watch was made.
        rss_bytes: the resident memory of each sample.
        rss_anon_bytes: the anonymous memory of each sample.
        total: the highest of the phases' peaks so far.
        peak_resets: whether the kernel allows the peak of resident memory to be reset.
    """

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.seconds: list[float] = []
        self.rss_bytes: list[int] = []
        self.rss_anon_bytes: list[int] = []
        self.peak_resets = True
        self.total = Peak()
        self._origin = time.monotonic()
        self._phase = "start"
        self._first_sample = 0  # the number of the phase's first sample

    def start(self, phase: str) -> None:
        """Begin a phase, and reset the peak if the kernel allows it."""
        self._phase, self._first_sample = phase, len(self.phases)
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            self.peak_resets = False
        self.sample()

    def watching(self, phase: str) -> _Sampler:
        """Begin a phase, and return a context in which a thread takes samples."""
        self.start(phase)
        return _Sampler(self)

    def phase_peak(self) -> Peak:
        """End the phase, and return its peaks. The trial's peaks are the highest of its phases' peaks.

        The peak of anonymous memory is estimated from below. It is at least as high as every sample, the last of which
        is taken now. It is also at least the peak of resident memory minus the largest file-mapped memory of a sample.
        Samples alone often miss a short peak.
        """
        self.sample()
        now = _status_bytes()
        peak = Peak(now.get("VmHWM"), self._anon_peak_bytes(now))
        self.total = self.total.or_higher(peak)
        return peak

    def sample(self) -> None:
        """Record the resident and the anonymous memory now."""
        resident, mapped = map(int, Path("/proc/self/statm").read_text().split()[1:3])  # all pages, and those of files
        self.phases.append(self._phase)
        self.seconds.append(round(time.monotonic() - self._origin, 4))
        self.rss_bytes.append(resident * _PAGE_BYTES)
        self.rss_anon_bytes.append((resident - mapped) * _PAGE_BYTES)

    def samples(self) -> MemorySeries:
        """Return all samples."""
        series = MemorySeries()
        series.phase, series.seconds, series.rss_bytes = self.phases, self.seconds, self.rss_bytes
        if self.total.rss_anon_bytes is not None:
            series.rss_anon_bytes = [*self.rss_anon_bytes]
        return series

    def file_bytes(self) -> int | None:
        """Return the file-mapped and shared memory in bytes at the last sample, or None if it is not known."""
        return self.rss_bytes[-1] - self.rss_anon_bytes[-1] if self.total.rss_anon_bytes is not None else None

    def _anon_peak_bytes(self, now: dict[str, int]) -> int | None:
        resident, anon = now.get("VmHWM"), now.get("RssAnon")
        if anon is None:
            return None
        samples = self.rss_anon_bytes[self._first_sample :]
        lower_bounds = [anon + now.get("VmSwap", 0), *samples]
        if resident is not None and self.peak_resets:
            totals = self.rss_bytes[self._first_sample :]
            lower_bounds.append(resident - max(total - anon for total, anon in zip(totals, samples, strict=True)))
        return max(lower_bounds)


class _Sampler:
    def __init__(self, watch: MemoryWatch) -> None:
        self._watch = watch
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(_INTERVAL_SECONDS):
            self._watch.sample()


def _status_bytes() -> dict[str, int]:
    """Return the sizes in /proc/self/status in bytes. A kernel leaves out the sizes that it does not count."""
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines if words[-1:] == ["kB"]}


def _highest(*values: int | None) -> int | None:
    known = [value for value in values if value is not None]
    return max(known, default=None)
