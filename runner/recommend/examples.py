"""Which examples a job gets wrong, one bit each."""

from __future__ import annotations

import base64
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from runner.results.tables import Tables, coded, places_by_job

#: At most so many examples are resampled: of more, evenly spaced ones. Their scatter is then brought to that of all.
MOST_EXAMPLES: Final = 1000


@dataclass(frozen=True)
class Mistakes:
    """The mistakes of a job and of its baseline on the same examples.

    Attributes:
        examples: how many were judged.
        kept: how many of them have a bit.
        own, baseline: base64 of the bits, first example first, the last byte filled with 0; baseline None if unknown.
    """

    examples: int
    kept: int
    own: str
    baseline: str | None


def mistakes(tables: Tables, jobs: Collection[str]) -> dict[str, Mistakes]:
    """Return the mistakes of the jobs among `jobs` that have predictions. A missing prediction is a mistake."""
    found: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray, bool]]] = {}
    for part in tables.predictions.parts(["job", "example", "label", "prediction", "baseline_prediction"], jobs):
        known: dict[str, int] = {}
        label, own, baseline = (coded(part[name], known) for name in ("label", "prediction", "baseline_prediction"))
        wrong, baseline_wrong = ((label < 0) | (side < 0) | (label != side) for side in (own, baseline))
        example = part["example"].to_numpy()
        for job, rows in places_by_job(part):
            known_baseline = bool((baseline[rows] >= 0).any())
            found.setdefault(job, []).append((example[rows], wrong[rows], baseline_wrong[rows], known_baseline))
    return {job: _joined(parts) for job, parts in found.items()}


def _joined(parts: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray, bool]]) -> Mistakes:
    """Put a job's examples in order; they may be in several parts of the table."""
    example, wrong, baseline_wrong, known = zip(*parts, strict=True)
    order = np.argsort(np.concatenate(example), kind="stable")
    return _mistakes(np.concatenate(wrong)[order], np.concatenate(baseline_wrong)[order] if any(known) else None)


def unpack(bits: str, kept: int) -> np.ndarray:
    """Return the bits as 0 and 1, [kept]."""
    return np.unpackbits(np.frombuffer(base64.b64decode(bits), dtype=np.uint8), count=kept)


def _mistakes(own: np.ndarray, baseline: np.ndarray | None) -> Mistakes:
    n = len(own)
    kept = min(n, MOST_EXAMPLES)
    places = np.arange(kept) * n // kept
    return Mistakes(n, kept, _packed(own[places]), None if baseline is None else _packed(baseline[places]))


def _packed(bits: np.ndarray) -> str:
    return base64.b64encode(np.packbits(bits).tobytes()).decode()
