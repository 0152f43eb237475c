"""Errors that a person can mend."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Bad input or a missing condition; the text says what is wrong, where, and what to do.

    It is printed without a traceback, and the command ends with exit code 2.
    """


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """Return a hint naming the nearest allowed word, or all of them if none is near."""
    choices = sorted(allowed)
    near = difflib.get_close_matches(word, choices, n=1, cutoff=0.5)
    if near:
        return f"Did you mean '{near[0]}'? Allowed: {', '.join(choices)}."
    return f"Allowed: {', '.join(choices) or 'none'}."
