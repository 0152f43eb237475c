"""The machine's peaks: how fast matrix products and memory are at best, measured once and kept in the store.

They are measured by `runner.trial.peaks` in a box as trials get: same kind, same image, same CPUs.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from runner.config.paths import CODE
from runner.isolation.box import Box, BoxOrder
from runner.machine.cpu import read_cpu
from runner.machine.provenance import lock_sha256
from runner.store.artifacts import Store, atomic_write, digest

_SECONDS = 4.0  # of measuring, spread over all kernels in turn; starting the box comes on top
_TIMEOUT_SECONDS = 600.0  # only a hang takes so long, whatever else the machine does
_PEAK_OF = {
    "float32": "float32_flops_per_second",
    "bfloat16": "bfloat16_flops_per_second",
    "int8": "int8_flops_per_second",
}


@dataclass(frozen=True)
class Peaks:
    """The best rates seen with some number of threads; None where nothing could be measured.

    Attributes:
        threads: of the box, each on a core of its own.
        float32_flops_per_second: matrix products in float32; the best of all runtimes in the image.
        bfloat16_flops_per_second: in bfloat16, which a CPU without instructions for it only emulates.
        int8_flops_per_second: in int8 (an integer operation counts as one FLOP).
        bandwidth_bytes_per_second: reading and writing main memory.
        best: for each of these, the kernel and shape that reached it.
        error: why nothing could be measured.
    """

    threads: int
    float32_flops_per_second: float | None = None
    bfloat16_flops_per_second: float | None = None
    int8_flops_per_second: float | None = None
    bandwidth_bytes_per_second: float | None = None
    best: dict[str, str] = field(default_factory=dict)
    error: str | None = None

    def peak_for(self, precision: str) -> float | None:
        """Return the peak in FLOP/s of float32, bfloat16 or int8; None for any other."""
        name = _PEAK_OF.get(precision)
        return getattr(self, name) if name else None

    def limit_for(self, precision: str | None) -> float | None:
        """Return the FLOP/s that no model of this precision exceeds.

        Whatever the precision, a part of a model may run in float32, which can be the faster one; where the precision
        is not one of the measured ones, the highest peak counts.
        """
        wanted = ("float32", precision) if precision in _PEAK_OF else tuple(_PEAK_OF)
        known = [peak for name in wanted if (peak := self.peak_for(name))]
        return max(known, default=None)


def are_kept(store: Path, box: Box, cpus: list[int]) -> bool:
    """Return whether the peaks of these CPUs need not be measured."""
    return _read(_file(store, _identity(box, cpus))) is not None


def measured_peaks(store: Path, box: Box, cpus: list[int], fresh: bool = False) -> Peaks:
    """Return the peaks of these CPUs, from the store or newly measured (some 10 seconds).

    They are measured anew for another CPU, kernel, set of CPUs, kind of box, image, or way of measuring.

    Args:
        store: folder of the store; the peaks go to `peaks/` in it.
        box: as the trials get.
        cpus: as the trials get, one per thread.
        fresh: measure again; the higher of old and new counts, as a peak is a maximum.

    Returns:
        The peaks; if the box fails, empty ones with the reason, which are not kept.
    """
    identity = _identity(box, cpus)
    path = _file(store, identity)
    kept = _read(path)
    if kept and not fresh:
        return kept
    found = _measure(Store(store), box, cpus)
    if found.error:
        return kept or found
    if kept:
        found = _higher(kept, found)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, json.dumps({"identity": identity, "peaks": asdict(found)}, indent=1))
    return found


def _file(store: Path, identity: dict[str, Any]) -> Path:
    return store / "peaks" / f"{digest(identity)[:32]}.json"


def _identity(box: Box, cpus: list[int]) -> dict[str, Any]:
    return {
        "cpu": asdict(read_cpu()),
        "cpus": cpus,
        "box": box.kind,
        "image_id": box.image_id,
        "lock": lock_sha256(),
        "code": digest((CODE / "trial" / "peaks.py").read_text())[:16],
        "seconds": _SECONDS,
    }


def _read(path: Path) -> Peaks | None:
    """Return what an earlier run kept; None too if it is broken or of another shape."""
    try:
        return Peaks(**json.loads(path.read_text())["peaks"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _measure(store: Store, box: Box, cpus: list[int]) -> Peaks:
    with store.staging_dir() as folder:
        request = {"threads": len(cpus), "seconds": _SECONDS}
        end = box.run(BoxOrder("runner.trial.peaks", request, {}, folder, cpus, timeout_seconds=_TIMEOUT_SECONDS))
        measured = folder / "measured.json"
        if end.exit_code or end.timed_out or not measured.exists():
            return Peaks(len(cpus), error=end.reason())
        return from_candidates(len(cpus), json.loads(measured.read_text())["candidates"])


def from_candidates(threads: int, candidates: list[dict[str, Any]]) -> Peaks:
    """Take the best of each precision, and of bandwidth.

    Args:
        threads: of the box.
        candidates: of each kernel `kind` (float32, bfloat16, int8, bandwidth), `name`, and `per_second`, the best rate
            it reached.
    """
    columns = _PEAK_OF | {"bandwidth": "bandwidth_bytes_per_second"}
    figures: dict[str, Any] = {"best": {}}
    for kind, column in columns.items():
        of_kind = [candidate for candidate in candidates if candidate["kind"] == kind]
        if of_kind:
            best = max(of_kind, key=lambda candidate: candidate["per_second"])
            figures[column] = best["per_second"]
            figures["best"][column] = best["name"]
    return Peaks(threads, **figures)


def _higher(one: Peaks, other: Peaks) -> Peaks:
    """Take of each figure the higher one."""
    figures: dict[str, Any] = {"best": {}}
    for column in (*_PEAK_OF.values(), "bandwidth_bytes_per_second"):
        better = max(one, other, key=lambda peaks: getattr(peaks, column) or 0.0)
        figures[column] = getattr(better, column)
        figures["best"] |= {key: name for key, name in better.best.items() if key == column}
    return Peaks(one.threads, **figures)
