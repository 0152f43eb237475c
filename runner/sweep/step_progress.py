"""What a long step in a box says meanwhile: a file in its output folder, looked at now and then."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_LOOK_SECONDS = 1.0


@contextmanager
def tail_progress(path: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Say every new line that the file at `path`, which may not be there, is found to hold."""
    ended = threading.Event()

    def look() -> None:
        last = ""
        while not ended.wait(_LOOK_SECONDS):
            try:
                line = path.read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            if line and line != last:
                say(line)
            last = line

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield
    finally:
        ended.set()
        looking.join()
