"""How long a test waits for what must come: so long that only a hang fails, however busy the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_SECONDS = 1800.0
_LOOK_SECONDS = 0.01


def wait_until(condition: Callable[[], object], what: object = "what must come") -> None:
    """Return as soon as the condition holds; fail, naming what was awaited, if it never does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(_LOOK_SECONDS)
