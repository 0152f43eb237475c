"""Errors that a person can mend."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable
from typing import Any

_NAMED = 100  # choices in a hint
_COMPARED = 1000  # choices that a mistyped word is held against


class UserError(Exception):
    """Bad input or a missing condition; the text says what is wrong, where, and what to do.

    It is printed without a traceback, and the command ends with exit code 2.
    """

    def __init__(self, text: str) -> None:
        super().__init__(printable(text))


def printable(text: str) -> str:
    """Return a text with a space for each character that would act on a terminal or hide in it: escapes, NUL,
    marks of direction. Line ends stay."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)


class MachineError(UserError):
    """The engine, the disk or a core has gone: no job is at fault, no trial has failed, and the sweep stops."""


_STORAGE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}


def storage_error(error: BaseException) -> MachineError | None:
    """Return what to tell a person if a disk is full, read-only or broken; None for any other error."""
    if not isinstance(error, OSError) or error.errno not in _STORAGE:
        return None
    where = f" ({error.filename})" if error.filename else ""
    return MachineError(
        f"Nothing more can be written{where}: {error.strerror}. What was measured is kept. Make room, or the folder "
        "writable; then the same command goes on from here."
    )


def stop_before(error: BaseException | None) -> KeyboardInterrupt | SystemExit | None:
    """Return the Ctrl-C or SIGTERM that an error is, or came after.

    What is interrupted cleans up, and can fail at that, as OmegaConf does while it composes a config. Then that error
    takes the place of the stop.
    """
    while error is not None and not isinstance(error, KeyboardInterrupt | SystemExit):
        error = error.__context__
    return error


def exit_code_of(stop: KeyboardInterrupt | SystemExit) -> Any:
    """Return what a process ends with after it: a SIGTERM brings its own code, and Ctrl-C is 130, as in a shell."""
    return stop.code if isinstance(stop, SystemExit) else 130


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text without its full stop, or the error's type if it has no text."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """Return a hint naming the nearest allowed word, and all of them, as far as a person would read."""
    choices = sorted(allowed)
    near = difflib.get_close_matches(word, choices[:_COMPARED], n=1, cutoff=0.5)
    more = f" and {len(choices) - _NAMED} more" if len(choices) > _NAMED else ""
    said = f"Allowed: {', '.join(choices[:_NAMED]) or 'none'}{more}."
    return f"Did you mean '{near[0]}'? {said}" if near else said
