"""Read one of the many JSON files of a sweep."""

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

    msgspec takes a fourth of the time. It rejects NaN, which a logit can be, and a lone surrogate, such as `\\ud800`.
    The files that it rejects are read with json, which accepts both.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is not JSON or not UTF-8, or holds a lone surrogate, which no table can hold.
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
