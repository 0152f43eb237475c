"""How one of the very many JSON files of a sweep is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import orjson

Record = TypeVar("Record")


def read_record(path: Path, record: type[Record]) -> Record:
    """Return the record that a file holds.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is not JSON, or not such a record; the message names the field.
        RecursionError: if it is nested too deep.
    """
    return msgspec.json.decode(path.read_bytes(), type=record)


def read_json(path: Path) -> Any:
    """Return what a file holds, as `json.loads` would.

    orjson parses a file in a fifth of the time. It refuses what json takes and a logit can be (NaN), and half a
    character, such as `\\ud800`: of a file that it refuses, json says what is in it.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is no JSON, no UTF-8, or holds half a character, which can be in no table.
        RecursionError: if it is nested too deep.
    """
    content = path.read_bytes()
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        text = content.decode("utf-8")
        found = json.loads(text)
    if "\\ud" in text:
        json.dumps(found, ensure_ascii=False).encode()
    return found
