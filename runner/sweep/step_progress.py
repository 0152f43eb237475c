"""Show the progress of a long step, which the step writes into a file in its output folder."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_POLL_SECONDS = 1.0


@contextmanager
def tail_progress(path: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Read a file once a second within the context, and show its text whenever it has changed.

    Args:
        path: the file, which holds one line and may be missing.
        say: the function that shows the line.
    """
    ended = threading.Event()

    def poll() -> None:
        last = ""
        while not ended.wait(_POLL_SECONDS):
            try:
                line = path.read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            if line and line != last:
                say(line)
            last = line

    thread = threading.Thread(target=poll, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
