"""Rewrite a sweep's report while trials come in.

A rewrite of 60 trials takes 1.5 s of one core, and rewriting takes at most a tenth of the time. It runs at the lowest
priority on a core without measurements, and never begins while a trial has all cores. It still shares cache and
memory with the trials. A browser has no such limits: each reload of the page takes a second of any core. Where figures
must be precise, look at the page from another machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runner.report.watch.folder import look
from runner.report.watch.line import status_line
from runner.report.write import collect_and_report, stop_refreshing

REFRESH_SECONDS = 20


@dataclass(frozen=True)
class Pace:
    """How often it looks and writes.

    Attributes:
        poll_seconds: the time between two looks into the folder.
        min_seconds: the shortest time between two rewrites.
        share: the largest share of the time that goes into rewriting.
        quiet_seconds: how long a complete sweep must stay unchanged to count as finished.
    """

    poll_seconds: float = 2.0
    min_seconds: float = 5.0
    share: float = 0.1
    quiet_seconds: float = 15.0

    def rest_seconds(self, rewrite_seconds: float) -> float:
        """Return how long to wait after a rewrite of this duration."""
        return max(self.min_seconds, rewrite_seconds * (1 / self.share - 1))


def follow(sweep: Path, cores: int, say: Callable[[str], None], pace: Pace) -> None:
    """Rewrite the tables and the report of a sweep whenever trials came in, until it is complete.

    Args:
        sweep: the sweep's folder.
        cores: the number of cores for boxes. Nothing is written while a trial has them all.
        say: a function that gets one line for each rewrite, and one when a rewrite has to wait.
        pace: see `Pace`.

    Raises:
        UserError: if there is no readable plan.
        KeyboardInterrupt: if the user stops it.
    """
    try:
        _follow(sweep, cores, say, pace)
    finally:
        stop_refreshing(sweep)


def _follow(sweep: Path, cores: int, say: Callable[[str], None], pace: Pace) -> None:
    written: frozenset[tuple[str, int, int]] | None = None
    changed = rested = time.monotonic()
    waiting = False
    while True:
        found = look(sweep)
        has_news = found.files != written and time.monotonic() >= rested
        is_core_spare = found.next_threads is None or found.next_threads < cores
        if has_news and not is_core_spare and not waiting:
            say("The trial that is running has all cores: the report waits.")
        waiting = has_news and not is_core_spare
        if has_news and is_core_spare:
            began = time.monotonic()
            say(status_line(collect_and_report(sweep, REFRESH_SECONDS)))
            written, changed = found.files, time.monotonic()
            rested = changed + pace.rest_seconds(changed - began)
        if found.is_complete and found.files == written and time.monotonic() >= changed + pace.quiet_seconds:
            return
        time.sleep(pace.poll_seconds)
