"""Write values in Hydra's override grammar."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from runner.errors import UserError

_KEY = re.compile(r"[+~]{0,2}[A-Za-z][\w./@-]*")


def override_line(key: str, value: Any, where: str) -> str:
    """Return one entry of a sub-grid as an override; a list becomes a choice sweep.

    Raises:
        UserError: for a key that no job has, or a value that Hydra would not read as one value or a list of values.
    """
    if not _KEY.fullmatch(key) or key.lstrip("+~").startswith("hydra"):
        raise UserError(f"{where}: '{key}' is not a key of a job. Set Hydra's own keys on the command line.")
    values = value if isinstance(value, list) else [value]
    for member in values:
        if isinstance(member, list | dict):
            raise UserError(
                f"{where}.{key}: {member!r} is not one value. Write one value, or a list of plain values, "
                f"such as {key}: [a, b]."
            )
    if not values:
        raise UserError(f"{where}.{key} is an empty list, so it would give no job. Name a value or remove the key.")
    return f"{key}={','.join(map(quoted, values))}"


def remark_on_overridden_keys(rows: Sequence[Mapping[str, Any]], arguments: Sequence[str]) -> str | None:
    """Return a remark about the keys of sub-grids that the command line sets too, or None if there is none.

    The command line takes precedence, so it also replaces values in which the rows differ.
    """
    typed = {line.partition("=")[0] for line in arguments}
    places = {key: [number for number, row in enumerate(rows) if key in row] for row in rows for key in row}
    overridden = [
        f"{key} (in grid.union{', '.join(f'[{number}]' for number in numbers)})"
        for key, numbers in places.items()
        if key in typed
    ]
    return f"The command line overrides keys of the grid: {', '.join(overridden)}." if overridden else None


def quoted(value: Any) -> str:
    """Return a value as text, from which Hydra reads the same value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float) or re.fullmatch(r"[\w.+-]+(?:/[\w.+-]+)*", str(value)):
        return str(value)
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"
