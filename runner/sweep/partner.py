"""Control the partner of a round from outside its box: the baseline's box stays open, and trials take turns with it.

One partner is open at a time. The trials of a round that run in this process share it. If a launcher gives every trial
its own process, each trial has its own partner, which costs time and changes nothing else.
"""

from __future__ import annotations

import atexit
import os
import random
import shutil
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

from runner.console import say
from runner.isolation.box import Box, BoxEnd, BoxOrder, stop
from runner.results.json_files import read_record
from runner.results.records.measured import CallSeries
from runner.store.locks import close, lock_folder
from runner.trial.turns import TO_PARTNER, TO_TRIAL

_LIFETIME_SECONDS = 7 * 24 * 3600.0  # a round may take long, and the partner ends with this process at the latest
_EXIT_SECONDS = 5.0  # a partner that has not ended by then is killed
_POLL_SECONDS = 0.02  # nothing is measured while this process waits for the partner
_open: Partner | None = None
_failed: dict[str, str] = {}  # the reason for each name, so that a partner that failed is not started again


class PartnerFailedError(Exception):
    """The partner did not start. The text is one line with the reason."""


class Partner:
    """A started partner. It belongs to one baseline in one round.

    Args:
        name: the name of the baseline and the round.
        box: the kind of box.
        order: the order of a trial of the baseline. Its output folder is replaced.
        folder: the folder in which the partner's own folder is made.

    Raises:
        PartnerFailedError: if the partner does not start in time.
    """

    def __init__(self, name: str, box: Box, order: BoxOrder, folder: Path) -> None:
        self.name = name
        self.folder = Path(tempfile.mkdtemp(prefix="partner-", dir=folder)).absolute()
        self.folder.chmod(0o755)
        self._lock = lock_folder(self.folder)
        for pipe in (TO_PARTNER, TO_TRIAL):
            os.mkfifo(self.folder / pipe)
            (self.folder / pipe).chmod(0o666)
        self._pipe = os.open(self.folder / TO_PARTNER, os.O_RDWR)  # the partner runs while this handle is open
        start_seconds = order.timeout_seconds
        order = replace(order, module="runner.trial.partner", output=self.folder, timeout_seconds=_LIFETIME_SECONDS)
        self._end: BoxEnd | None = None
        self._thread = threading.Thread(target=self._run, args=(box, order), daemon=True)
        self._thread.start()
        self._wait_until_ready(start_seconds)

    def is_open(self) -> bool:
        """Return whether the partner still runs."""
        return self._thread.is_alive()

    def session(self) -> int:
        """Return a new number that identifies the turns of one trial."""
        return random.SystemRandom().getrandbits(32)

    def calls(self, session: int) -> CallSeries:
        """Return the durations of the partner's calls in a trial. They are None if the turns failed."""
        path = self.folder / f"{session}.json"
        return read_record(path, CallSeries) if path.exists() else CallSeries()

    def close(self) -> None:
        """Let the partner end, and remove its folder."""
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1
            self._thread.join(_EXIT_SECONDS)
            while self._thread.is_alive():
                stop(self._thread)
                self._thread.join(1)
            shutil.rmtree(self.folder, ignore_errors=True)
            close(self._lock)

    def _run(self, box: Box, order: BoxOrder) -> None:
        try:
            self._end = box.run(order)
        except Exception as error:  # `_wait_until_ready` raises it
            self._end = BoxEnd(1, False, False, f"{type(error).__name__}: {error}")

    def _wait_until_ready(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not (self.folder / "ready").exists():
            if not self._thread.is_alive() or time.monotonic() > deadline:
                self.close()
                reason = self._end.reason() if self._end else "did not start in time (isolation.timeout_seconds)"
                raise PartnerFailedError(reason)
            time.sleep(_POLL_SECONDS)


def open_partner(name: str, box: Box, order: BoxOrder, folder: Path) -> Partner:
    """Return the open partner with this name. If another one is open, close it and open a new one; see `Partner`.

    Raises:
        PartnerFailedError: if the partner does not start in time.
    """
    global _open
    if name in _failed:
        raise PartnerFailedError(_failed[name])
    if _open is None or _open.name != name or not _open.is_open():
        close_partner()
        try:
            _open = Partner(name, box, order, folder)
        except PartnerFailedError as failure:
            _failed[name] = str(failure)
            say(f"The trials of this round take no turns, because the partner (the baseline's box) {failure}.")
            raise
    return _open


def close_partner() -> None:
    """Close the open partner, if there is one."""
    global _open
    if _open is not None:
        partner, _open = _open, None
        partner.close()


atexit.register(close_partner)
