"""Memory of this process: the peaks of each phase, and its size over time.

Two figures stand beside each other. *Resident* memory (VmRSS, its peak VmHWM) counts every page that is mapped now, the
pages of files among them: libraries and weights, as far as they happen to lie in the page cache. That part moves by
several percent from one day to the next. *Anonymous* memory (RssAnon, and VmSwap for what was swapped out) is what
the process allocated itself, and identical code needs the same of it on every day.

The kernel keeps a high-water mark of resident memory, which is reset between phases (`man 5 proc`, clear_refs), so no
peak of it falls between two samples. It keeps none of anonymous memory; see `MemoryWatch.phase_peak`.
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
    """The highest resident and anonymous memory, in bytes; None where the kernel does not tell it."""

    rss_bytes: int | None = None
    rss_anon_bytes: int | None = None

    def or_higher(self, other: Peak) -> Peak:
        """Return the higher one of each figure."""
        return Peak(_highest(self.rss_bytes, other.rss_bytes), _highest(self.rss_anon_bytes, other.rss_anon_bytes))


class MemoryWatch:
    """Peaks per phase and samples over time, from its creation on.

    Samples come from a thread while a phase of `watching` lasts; elsewhere only when `sample` is called, so that
    nothing polls while calls are timed.

    Attributes:
        phases, seconds, rss_bytes, rss_anon_bytes: of each sample.
        total: the highest of the phases' peaks so far.
        peak_resets: whether the kernel let the peak of resident memory be reset.
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
        self._first_sample = 0  # of the phase

    def start(self, phase: str) -> None:
        """Begin a phase: forget the peak so far, as far as the kernel allows."""
        self._phase, self._first_sample = phase, len(self.phases)
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            self.peak_resets = False
        self.sample()

    def watching(self, phase: str) -> _Sampler:
        """Begin a phase and sample it from a thread for as long as the returned context lasts."""
        self.start(phase)
        return _Sampler(self)

    def phase_peak(self) -> Peak:
        """Return the peaks of the phase, which ends here; the trial's own peaks are the highest of its phases.

        Anonymous memory was at least as high as in any sample, of which the last is taken now. It was also at least the
        peak of resident memory less the most file-mapped memory that a sample saw, and it was just that where the
        phase mapped no files at its peak. Samples alone miss a short peak more often than not.
        """
        self.sample()
        now = _status_bytes()
        peak = Peak(now.get("VmHWM"), self._anon_peak_bytes(now))
        self.total = self.total.or_higher(peak)
        return peak

    def sample(self) -> None:
        """Note the resident and the anonymous size now."""
        resident, mapped = map(int, Path("/proc/self/statm").read_text().split()[1:3])  # pages; of them, mapped files
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
        """Return how much memory was mapped from files, and shared, at the last sample."""
        return self.rss_bytes[-1] - self.rss_anon_bytes[-1] if self.total.rss_anon_bytes is not None else None

    def _anon_peak_bytes(self, now: dict[str, int]) -> int | None:
        resident, anon = now.get("VmHWM"), now.get("RssAnon")
        if anon is None:
            return None
        seen = self.rss_anon_bytes[self._first_sample :]
        at_least = [anon + now.get("VmSwap", 0), *seen]
        if resident is not None and self.peak_resets:
            totals = self.rss_bytes[self._first_sample :]
            at_least.append(resident - max(total - anon for total, anon in zip(totals, seen, strict=True)))
        return max(at_least)


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
    """Return what /proc/self/status tells in kB, in bytes; a kernel leaves out what it does not count."""
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines if words[-1:] == ["kB"]}


def _highest(*values: int | None) -> int | None:
    known = [value for value in values if value is not None]
    return max(known, default=None)
