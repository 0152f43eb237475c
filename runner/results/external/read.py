"""Read a file of another tool. Its content shows which tool wrote it."""

from __future__ import annotations

import json
from pathlib import Path

from runner.errors import UserError
from runner.results.external import optimum_benchmark, pyperf
from runner.results.external.measured import ExternalBenchmark

_TOOLS = (pyperf, optimum_benchmark)
_MAX_BYTES = 256 * 2**20


def read(path: Path) -> list[ExternalBenchmark]:
    """Return the benchmarks in a file.

    Raises:
        UserError: if it cannot be read, if no known tool wrote it, or if it holds no timings.
    """
    known = "The known formats are the JSON files of pyperf and optimum-benchmark."
    try:
        if not path.is_file() or path.stat().st_size > _MAX_BYTES:
            raise UserError(f"{path} is not a file of at most {_MAX_BYTES // 2**20} MiB. {known}")
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not a JSON file ({error}). {known}") from None
    tool = next((tool for tool in _TOOLS if isinstance(document, dict) and tool.is_own_format(document)), None)
    if tool is None:
        raise UserError(f"{path} was not written by a tool whose results can be read. {known}")
    try:
        benchmarks: list[ExternalBenchmark] = tool.read(document, path.name)
    except (ValueError, AttributeError, TypeError, KeyError) as error:
        raise UserError(f"{path} cannot be read: {error}.") from None
    if not benchmarks:
        raise UserError(f"{path} holds no timings, so there is nothing to show.")
    return benchmarks
