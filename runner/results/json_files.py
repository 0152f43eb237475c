"""How one of the very many JSON files of a sweep is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

import msgspec

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

    msgspec takes a fourth of the time. It refuses NaN, which json accepts and which a logit can be, and half a
    character, such as `\\ud800`. json reads the files that it refuses.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is not JSON or not UTF-8, or holds half a character, which no table can hold.
        RecursionError: if it is nested too deep.
    """
    content = path.read_bytes()
    try:
        return msgspec.json.decode(content)
    except msgspec.DecodeError:
        text = content.decode("utf-8")
        value = json.loads(text)
    if "\\ud" in text:
        json.dumps(value, ensure_ascii=False).encode()
    return value
