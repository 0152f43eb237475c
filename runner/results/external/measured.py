"""Figures that other tools measured. A report shows them beside the sweep's own, and never mixes the two.

Each tool whose results can be read has a file here. Only the figures that are shown are kept, in `external.json` in the
sweep's folder: the tools' own files also name machines, people and paths.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from runner.errors import UserError
from runner.store.artifacts import atomic_write

TITLE = "Measured by other tools"
CAVEAT = (
    "Other processes measured these figures at another time, perhaps on another machine. They are shown beside the "
    "sweep's own figures, and no ratio is taken between them."
)


@dataclass(frozen=True)
class ExternalBenchmark:
    """One benchmark of another tool; None where its file does not give a value.

    Attributes:
        tool: the name of the tool, with its version if known.
        file: the name of the file that was read.
        name: the name of the benchmark.
        processes: how many processes measured it.
        calls: how many timings the latencies are taken from.
    """

    tool: str
    file: str
    name: str
    processes: int
    calls: int
    latency_p50_seconds: float
    latency_p90_seconds: float
    examples_per_second: float | None = None
    rss_peak_bytes: float | None = None
    load_seconds: float | None = None
    cpu: str | None = None


def kept(sweep: Path) -> list[ExternalBenchmark]:
    """Return the benchmarks that were imported into a sweep's folder.

    Raises:
        UserError: if their file cannot be read as such benchmarks.
    """
    path = _file(sweep)
    if not path.exists():
        return []
    try:
        return [ExternalBenchmark(**fields) for fields in json.loads(path.read_text(encoding="utf-8"))]
    except (ValueError, TypeError, RecursionError):
        raise UserError(f"{path} cannot be read. Remove it, and import the files again.") from None


def keep(sweep: Path, benchmarks: Sequence[ExternalBenchmark]) -> None:
    """Add benchmarks to a sweep's folder. They replace those that came from a file of the same name.

    Raises:
        UserError: if the benchmarks that are there cannot be read.
    """
    files = {benchmark.file for benchmark in benchmarks}
    together = [*(benchmark for benchmark in kept(sweep) if benchmark.file not in files), *benchmarks]
    content = [asdict(benchmark) for benchmark in together]
    atomic_write(_file(sweep), json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _file(sweep: Path) -> Path:
    return sweep / "external.json"
