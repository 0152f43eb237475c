"""Define the errors that a person can fix, and write their messages."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable
from typing import Any

_MAX_LISTED = 100  # the number of choices that a hint lists
_MAX_COMPARED = 1000  # the number of choices that are compared with a mistyped word


class UserError(Exception):
    """Invalid input, or a condition that is not met.

    The text says what is wrong, where it is wrong, and what to do. It is printed without a traceback, and the command
    ends with exit code 2.
    """

    def __init__(self, text: str) -> None:
        super().__init__(printable(text))


def printable(text: str) -> str:
    """Return a text in which spaces replace the characters that a terminal interprets or hides.

    These are escapes, NUL and direction marks. Line ends stay.
    """
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)


class MachineError(UserError):
    """The engine, the disk or a core has gone. The sweep stops, but no job is at fault, and no trial has failed."""


_STORAGE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}


def storage_error(error: BaseException) -> MachineError | None:
    """Return the error for people if a disk is full, read-only or broken, or None for any other error."""
    if not isinstance(error, OSError) or error.errno not in _STORAGE:
        return None
    where = f" ({error.filename})" if error.filename else ""
    return MachineError(
        f"Nothing more can be written{where}: {error.strerror}. What was measured is kept. Free some disk space, or "
        "make the folder writable. Then the same command goes on from here."
    )


def stop_before(error: BaseException | None) -> KeyboardInterrupt | SystemExit | None:
    """Return the Ctrl-C or SIGTERM that caused an error, or None. The error itself may be one of them.

    Interrupted code cleans up, and may fail while it does so, as OmegaConf does if it composes a config. Then its error
    replaces the original one.
    """
    while error is not None and not isinstance(error, KeyboardInterrupt | SystemExit):
        error = error.__context__
    return error


def exit_code_of(stop: KeyboardInterrupt | SystemExit) -> Any:
    """Return the exit code of a stopped process: the code that SIGTERM's handler has set, or 130 for Ctrl-C."""
    return stop.code if isinstance(stop, SystemExit) else 130


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text without its full stop, or the error's type if it has no text."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """Return a hint that names the closest allowed word, and lists the allowed words up to a maximum."""
    choices = sorted(allowed)
    closest = difflib.get_close_matches(word, choices[:_MAX_COMPARED], n=1, cutoff=0.5)
    more = f" and {len(choices) - _MAX_LISTED} more" if len(choices) > _MAX_LISTED else ""
    listed = f"Allowed: {', '.join(choices[:_MAX_LISTED]) or 'none'}{more}."
    return f"Did you mean '{closest[0]}'? {listed}" if closest else listed
