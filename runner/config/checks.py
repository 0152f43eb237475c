"""Check single values of the config. The messages name the key."""

from __future__ import annotations

from runner.errors import UserError

_LONGEST_NAME = 100


def check_name(key: str, name: str) -> None:
    """Check that a name fits on a line of a terminal or a table. Other characters are escaped where it is shown.

    Raises:
        UserError: if it is too long, or has control characters.
    """
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise UserError(
            f"{key} is '{name[:_LONGEST_NAME]}', but must be one line of at most {_LONGEST_NAME} characters, without "
            "control characters. Take a shorter or plainer name."
        )


def at_least(key: str, value: float, least: float) -> None:
    """Check that a number is not too small.

    Raises:
        UserError: if it is.
    """
    if isinstance(value, int | float) and value < least:
        raise UserError(f"{key} is {value}, but must be at least {least}.")
