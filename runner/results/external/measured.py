"""Figures that other tools measured, shown in a report beside a sweep's own, and never mixed with them.

One file per tool whose results are read. Only the figures that are shown are kept, in `elsewhere.json` of the sweep's
folder: the files themselves also name machines, people and paths.
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
    "Other processes, at another time, perhaps on another machine: these figures stand beside the sweep's own, and no "
    "ratio is taken between them."
)


@dataclass(frozen=True)
class Measured:
    """One benchmark of another tool; None where its file does not say.

    Attributes:
        tool: which one, with its version if known.
        file: name of the file that was read.
        name: of the benchmark.
        processes: how many measured it.
        calls: how many timings the latencies stand for.
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


def kept(sweep: Path) -> list[Measured]:
    """Return what was imported into a sweep's folder.

    Raises:
        UserError: if the file there is not ours, or not whole.
    """
    path = _file(sweep)
    if not path.exists():
        return []
    try:
        return [Measured(**one) for one in json.loads(path.read_text(encoding="utf-8"))]
    except (ValueError, TypeError, RecursionError):
        raise UserError(f"{path} cannot be read. Remove it, and import the files again.") from None


def keep(sweep: Path, found: Sequence[Measured]) -> None:
    """Add figures to a sweep's folder; those of a file of the same name are replaced.

    Raises:
        UserError: if what is there cannot be read.
    """
    files = {one.file for one in found}
    all_ = [*(one for one in kept(sweep) if one.file not in files), *found]
    atomic_write(_file(sweep), json.dumps([asdict(one) for one in all_], indent=1, ensure_ascii=False) + "\n")


def _file(sweep: Path) -> Path:
    return sweep / "elsewhere.json"
