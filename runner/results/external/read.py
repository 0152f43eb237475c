"""Reading a file of another tool: which one it is of follows from what is in it."""

from __future__ import annotations

import json
from pathlib import Path

from runner.errors import UserError
from runner.results.external import optimum_benchmark, pyperf
from runner.results.external.measured import Measured

_TOOLS = (pyperf, optimum_benchmark)
_MAX_BYTES = 256 * 2**20


def read(path: Path) -> list[Measured]:
    """Return what a file holds.

    Raises:
        UserError: if it cannot be read, is of no tool that is known, or holds no timings.
    """
    known = "Known are the JSON files of pyperf and optimum-benchmark."
    try:
        if not path.is_file() or path.stat().st_size > _MAX_BYTES:
            raise UserError(f"{path} is no file of at most {_MAX_BYTES // 2**20} MiB. {known}")
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no JSON file ({error}). {known}") from None
    tool = next((tool for tool in _TOOLS if isinstance(document, dict) and tool.is_one(document)), None)
    if tool is None:
        raise UserError(f"{path} is of no tool whose results can be read. {known}")
    try:
        found: list[Measured] = tool.read(document, path.name)
    except (ValueError, AttributeError, TypeError, KeyError) as error:
        raise UserError(f"{path} is not whole: {error}.") from None
    if not found:
        raise UserError(f"{path} holds no timings, so there is nothing to show.")
    return found
