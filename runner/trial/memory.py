"""Memory of this process: the peak of each phase, and resident size over time.

Peaks are the kernel's own high-water mark, reset between phases (`man 5 proc`, clear_refs), so no peak falls between
two samples. Samples are only for the picture.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_INTERVAL_SECONDS = 0.01


class MemoryWatch:
    """Peaks per phase and samples over time, from its creation on.

    Samples come from a thread while a phase of `watching` lasts; elsewhere only when `sample` is called, so that
    nothing polls while calls are timed.
    """

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.seconds: list[float] = []
        self.rss_bytes: list[int] = []
        self.peak_resets = True
        self._origin = time.monotonic()
        self._peak_bytes = 0
        self._phase = "start"

    def start(self, phase: str) -> None:
        """Begin a phase: forget the peak so far (as far as the kernel allows), keep the total one."""
        self._peak_bytes = max(self._peak_bytes, _peak_bytes())
        self._phase = phase
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            self.peak_resets = False
        self.sample()

    def watching(self, phase: str) -> _Sampler:
        """Begin a phase and sample it from a thread for as long as the returned context lasts."""
        self.start(phase)
        return _Sampler(self)

    def phase_peak_bytes(self) -> int:
        """Return the peak resident size in bytes since the last `start`."""
        self.sample()
        return _peak_bytes()

    def total_peak_bytes(self) -> int:
        """Return the peak resident size in bytes since the process began."""
        return max(self._peak_bytes, _peak_bytes())

    def sample(self) -> None:
        """Note the resident size now."""
        self.phases.append(self._phase)
        self.seconds.append(round(time.monotonic() - self._origin, 4))
        self.rss_bytes.append(_rss_bytes())


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


def _rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES


def _peak_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
