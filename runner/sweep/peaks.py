"""Measure the machine's peaks: the highest rates of matrix products and of memory. The store keeps them.

`runner.trial.peaks` measures them in a box like a trial's: it has the same kind, the same image and the same CPUs.
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

_SECONDS = 4.0  # the time of all measurements together, without the start of the box
_TIMEOUT_SECONDS = 600.0  # only a hang takes so long, even on a busy machine
_PEAK_OF = {
    "float32": "float32_flops_per_second",
    "bfloat16": "bfloat16_flops_per_second",
    "int8": "int8_flops_per_second",
}


@dataclass(frozen=True)
class Peaks:
    """The highest rates measured with a number of threads. A rate that could not be measured is None.

    Attributes:
        threads: the number of threads of the box, each of which runs on its own core.
        float32_flops_per_second: the rate of matrix products in float32, the best of all runtimes in the image.
        bfloat16_flops_per_second: the rate in bfloat16, which a CPU without instructions for it only emulates.
        int8_flops_per_second: the rate in int8. An integer operation counts as one FLOP.
        bandwidth_bytes_per_second: the rate of reading and writing main memory.
        best: for each rate, by its name, the kernel and shape that reached it.
        error: the reason why nothing could be measured.
    """

    threads: int
    float32_flops_per_second: float | None = None
    bfloat16_flops_per_second: float | None = None
    int8_flops_per_second: float | None = None
    bandwidth_bytes_per_second: float | None = None
    best: dict[str, str] = field(default_factory=dict)
    error: str | None = None

    def peak_for(self, precision: str) -> float | None:
        """Return the peak in FLOP/s for float32, bfloat16 or int8. Return None for any other precision."""
        name = _PEAK_OF.get(precision)
        return getattr(self, name) if name else None

    def limit_for(self, precision: str | None) -> float | None:
        """Return the FLOP/s that no model in this precision exceeds, or None if nothing was measured.

        A part of a model may run in float32, which can be faster. Therefore the higher peak of float32 and the
        precision counts. If the precision is not a measured one, the highest of all peaks counts.
        """
        precisions = ("float32", precision) if precision in _PEAK_OF else tuple(_PEAK_OF)
        known = [peak for name in precisions if (peak := self.peak_for(name))]
        return max(known, default=None)


def are_stored(store: Path, box: Box, cpus: list[int]) -> bool:
    """Return whether the store has the peaks of these CPUs."""
    return _read(_file(store, _identity(box, cpus))) is not None


def measured_peaks(store: Path, box: Box, cpus: list[int], fresh: bool = False) -> Peaks:
    """Return the peaks of these CPUs from the store, or measure them, which takes about 10 seconds.

    They are measured again for another CPU, kernel, set of CPUs, kind of box, image or way of measuring.

    Args:
        store: the store's folder. Its folder `peaks/` holds the peaks.
        box: the box that the trials use.
        cpus: the CPUs that the trials use, one for each thread.
        fresh: whether to measure again. Then the higher of the old and the new rate counts, because a peak is a
            maximum.

    Returns:
        The peaks. If the box fails, they are empty except for the reason, and are not stored.
    """
    identity = _identity(box, cpus)
    path = _file(store, identity)
    stored = _read(path)
    if stored and not fresh:
        return stored
    peaks = _measure(Store(store), box, cpus)
    if peaks.error:
        return stored or peaks
    if stored:
        peaks = _higher(stored, peaks)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, json.dumps({"identity": identity, "peaks": asdict(peaks)}, indent=1))
    return peaks


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
    """Return the peaks that an earlier run stored, or None if there are none that can be read."""
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
    """Return the best rate in each precision, and the best bandwidth.

    Args:
        threads: the number of threads of the box.
        candidates: for each kernel, its `kind` (float32, bfloat16, int8 or bandwidth), its `name`, and `per_second`,
            the best rate that it reached.
    """
    columns = _PEAK_OF | {"bandwidth": "bandwidth_bytes_per_second"}
    rates: dict[str, Any] = {"best": {}}
    for kind, column in columns.items():
        same_kind = [candidate for candidate in candidates if candidate["kind"] == kind]
        if same_kind:
            best = max(same_kind, key=lambda candidate: candidate["per_second"])
            rates[column] = best["per_second"]
            rates["best"][column] = best["name"]
    return Peaks(threads, **rates)


def _higher(first: Peaks, second: Peaks) -> Peaks:
    """Return the higher of two values for each rate."""
    rates: dict[str, Any] = {"best": {}}
    for column in (*_PEAK_OF.values(), "bandwidth_bytes_per_second"):
        better = max(first, second, key=lambda peaks: getattr(peaks, column) or 0.0)
        rates[column] = getattr(better, column)
        rates["best"] |= {key: name for key, name in better.best.items() if key == column}
    return Peaks(first.threads, **rates)
