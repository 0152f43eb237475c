"""Print lines on the terminal, and show below them a table and a status line that are updated.

On a terminal, the region at the bottom is drawn again only when something changes, or once a second within `stage`.
Nothing is drawn while a trial is measured. If the output is not a terminal, everything is a plain line.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.text import Text

from runner.errors import printable

console = Console(stderr=True, highlight=False, soft_wrap=True)


def say(line: str) -> None:
    """Print a plain line, which stays on the terminal."""
    console.print(escape(printable(line)))


def detail(line: str) -> None:
    """Print a plain line about the progress of a command, unless `show_only_status` was called."""
    if not _region.only_status:
        say(line)


def announce(line: str) -> None:
    """Show what the command is doing now: in the status line of a terminal, or else as a plain line."""
    if console.is_terminal:
        _region.show(status=printable(line))
    else:
        detail(line)


def show_only_status() -> None:
    """Leave out the lines about the progress of this command, because the command that called it prints its own."""
    _region.only_status = True


def show_table(table: RenderableType) -> None:
    """Show a table: above the status line of a terminal, where the next table replaces it, or else as plain lines."""
    if console.is_terminal:
        _region.show(table=table)
    else:
        console.print(table)


def end_region() -> None:
    """Remove the table and the status line from the terminal."""
    _region.end()


@contextmanager
def stage(title: str, usual_seconds: float) -> Iterator[None]:
    """Print that a stage of a command begins, how long it usually takes, and finally how long it took.

    On a terminal, the status line shows the elapsed time within the context.
    """
    detail(f"{title}: usually {minutes(usual_seconds)}")
    began, ended = time.monotonic(), threading.Event()
    clock = threading.Thread(target=_region.tick, args=(title, began, usual_seconds, ended), daemon=True)
    if console.is_terminal:
        clock.start()
    try:
        yield
        detail(f"{title}: done, {minutes(time.monotonic() - began)}")
    finally:
        ended.set()


def styled(text: str, style: str = "") -> Text:
    """Return a styled text in which markup and control characters have no effect."""
    return Text("".join(c if c.isprintable() else " " for c in text), style)


def minutes(seconds: float) -> str:
    """Return a duration in whole seconds, or from 90 seconds on in minutes."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min"


class _Region:
    """The region at the bottom of the terminal, with a table and a status line.

    Attributes:
        only_status: whether the lines about the progress of the command are left out.
    """

    def __init__(self) -> None:
        self.only_status = False
        self._table: RenderableType | None = None
        self._status = self._clock = ""
        self._live: Live | None = None
        self._lock = threading.Lock()

    def show(self, table: RenderableType | None = None, status: str | None = None, clock: str | None = None) -> None:
        """Draw the region with the given parts. A part that is None does not change."""
        with self._lock:
            self._table = self._table if table is None else table
            self._status = self._status if status is None else status
            self._clock = self._clock if clock is None else clock
            if self._live is None:
                self._live = Live(
                    console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
                )
                self._live.start()
                console.show_cursor(True)  # a command that is killed could not show it again
            line = "  ".join(filter(None, (self._clock, self._status)))[: console.width - 1]
            shown = [Text(line, "dim")] if self._table is None else [self._table, Text(line, "dim")]
            self._live.update(Group(*shown), refresh=True)

    def tick(self, title: str, began: float, usual_seconds: float, ended: threading.Event) -> None:
        """Show the elapsed time of a stage every second until the stage has ended."""
        while not ended.wait(1.0):
            elapsed = time.monotonic() - began
            self.show(clock=f"{title}, {minutes(elapsed)} (usually {minutes(usual_seconds)})")
        self.show(clock="")

    def end(self) -> None:
        """Remove the region."""
        with self._lock:
            if self._live is not None:
                self._live.stop()
            self._table, self._status, self._clock, self._live = None, "", "", None


_region = _Region()
