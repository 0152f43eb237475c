"""The partner of a round, seen from outside: the baseline's box, kept open while trials take turns with it.

One is open at a time. The trials of a round that run in this process share it; a launcher that gives every trial a
process of its own gives each its own partner, which costs time and changes nothing else.
"""

from __future__ import annotations

import atexit
import json
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
from runner.store.locks import close, hold
from runner.trial.turns import TO_PARTNER, TO_TRIAL

_LIFETIME_SECONDS = 7 * 24 * 3600.0  # a round may take long; the partner ends with this process at the latest
_FAREWELL_SECONDS = 5.0  # to end by itself; then it is killed
_LOOK_SECONDS = 0.02  # nothing is being measured while we wait for it
_open: Partner | None = None
_failed: dict[str, str] = {}  # why, by name: not tried again for every trial of the round


class PartnerFailedError(Exception):
    """The partner did not get ready; the reason in one line."""


class Partner:
    """A partner that is ready for turns; it belongs to one baseline in one round.

    Args:
        name: of the baseline and the round.
        box: the kind of box.
        order: a trial's of the baseline, its output yet to be named.
        folder: where to make the partner's own one.

    Raises:
        PartnerFailedError: if it does not get ready.
    """

    def __init__(self, name: str, box: Box, order: BoxOrder, folder: Path) -> None:
        self.name = name
        self.folder = Path(tempfile.mkdtemp(prefix="partner-", dir=folder)).absolute()
        self.folder.chmod(0o755)
        self._lock = hold(self.folder)
        for pipe in (TO_PARTNER, TO_TRIAL):
            os.mkfifo(self.folder / pipe)
            (self.folder / pipe).chmod(0o666)
        self._held = os.open(self.folder / TO_PARTNER, os.O_RDWR)  # the partner lives while somebody holds it
        ready_within = order.timeout_seconds
        order = replace(order, module="runner.trial.partner", output=self.folder, timeout_seconds=_LIFETIME_SECONDS)
        self._end: BoxEnd | None = None
        self._thread = threading.Thread(target=self._run, args=(box, order), daemon=True)
        self._thread.start()
        self._wait_until_ready(ready_within)

    def is_open(self) -> bool:
        """Return whether it still runs."""
        return self._thread.is_alive()

    def session(self) -> int:
        """Return a number for a trial's turns."""
        return random.SystemRandom().getrandbits(32)

    def latencies(self, session: int) -> list[float] | None:
        """Return what its calls took in a trial, in seconds by number of the call; None if that did not end well."""
        path = self.folder / f"{session}.json"
        if not path.exists():
            return None
        found: list[float] = json.loads(path.read_text())
        return found

    def close(self) -> None:
        """Let it end, and remove its folder."""
        if self._held >= 0:
            os.close(self._held)
            self._held = -1
            self._thread.join(_FAREWELL_SECONDS)
            while self._thread.is_alive():
                stop(self._thread)
                self._thread.join(1)
            shutil.rmtree(self.folder, ignore_errors=True)
            close(self._lock)

    def _run(self, box: Box, order: BoxOrder) -> None:
        try:
            self._end = box.run(order)
        except Exception as error:  # said by whoever waits
            self._end = BoxEnd(1, False, False, f"{type(error).__name__}: {error}")

    def _wait_until_ready(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not (self.folder / "ready").exists():
            if not self._thread.is_alive() or time.monotonic() > deadline:
                self.close()
                reason = self._end.reason() if self._end else "did not get ready in time (isolation.timeout_seconds)"
                raise PartnerFailedError(reason)
            time.sleep(_LOOK_SECONDS)


def open_partner(name: str, box: Box, order: BoxOrder, folder: Path) -> Partner:
    """Return the open partner of that name, else close another one and open it; see `Partner`.

    Raises:
        PartnerFailedError: if it does not get ready.
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
            say(f"No turns in this round: the baseline's box, open as partner, {failure}.")
            raise
    return _open


def close_partner() -> None:
    """Close the partner that is open, if any."""
    global _open
    if _open is not None:
        partner, _open = _open, None
        partner.close()


atexit.register(close_partner)
