"""Remove private paths from the records of a sweep: they name people and machines, and are useless elsewhere."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
import pyarrow.types as types

# A path of two parts or more that starts at the root or at a home; not the end of a URL or of a fraction such as km/h.
_PATH = re.compile(r"(?<![\w:/.~])~?/(?:[^\s/:'\"<>|,;(){}\[\]]+/)+([^\s/:'\"<>|,;(){}\[\]]*)|~/([^\s/:'\"]+)")


def hide_paths(value: Any) -> Any:
    """Return a JSON-like value in which every absolute path is cut down to its last part, such as `…/model`.

    Keys stay as they are.
    """
    if isinstance(value, str):
        return _PATH.sub(lambda found: f"…/{found[1] or found[2] or ''}", value)
    if isinstance(value, dict):
        return {key: hide_paths(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [hide_paths(inner) for inner in value]
    return value


def without_paths(table: Any) -> Any:
    """Return a pyarrow table without absolute paths in its string columns, and without paths of logs."""
    for index, field in enumerate(table.schema):
        if field.name == "log":
            table = table.set_column(index, field, pa.nulls(len(table), field.type))
        elif types.is_string(field.type):
            table = table.set_column(index, field, pa.array(hide_paths(table[field.name].to_pylist()), field.type))
    return table
