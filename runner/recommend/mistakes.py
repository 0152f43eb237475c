"""Which examples a job gets wrong: one bit for each example."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from runner.results.tables import Tables, coded, places_by_job

#: At most this many examples are resampled; if there are more, evenly spaced ones are kept. Their scatter is scaled to
#: that of as many examples as there are texts: words of the same text are treated as if they were all alike.
MAX_EXAMPLES: Final = 1000


@dataclass(frozen=True)
class Mistakes:
    """The mistakes of a job and of its baseline on the same examples.

    Attributes:
        texts: how many texts the examples come from: in a tagged text, every word is an example.
        kept: how many of the examples have a bit.
        own, baseline: the packed bits, 1 for a mistake, first example first, the last byte filled with 0; those of the
            baseline are None if they are not known.
    """

    texts: int
    kept: int
    own: bytes
    baseline: bytes | None


def mistakes(tables: Tables, jobs: Collection[str]) -> dict[str, Mistakes]:
    """Return the mistakes of those `jobs` that have predictions. A missing prediction is a mistake."""
    found: dict[str, list[_Part]] = {}
    columns = ["job", "example", "of_text", "label", "prediction", "baseline_prediction"]
    for part in tables.predictions.parts(columns, jobs):
        known: dict[str, int] = {}
        label, own, baseline = (coded(part[name], known) for name in ("label", "prediction", "baseline_prediction"))
        wrong, baseline_wrong = ((label < 0) | (side < 0) | (label != side) for side in (own, baseline))
        example = part["example"].to_numpy()
        of_text = part["of_text"].to_numpy()
        for job, rows in places_by_job(part):
            known_baseline = bool((baseline[rows] >= 0).any())
            own_part = _Part(example[rows], of_text[rows], wrong[rows], baseline_wrong[rows], known_baseline)
            found.setdefault(job, []).append(own_part)
    return {job: _joined(parts) for job, parts in found.items()}


class _Part(NamedTuple):
    """A job's examples in one part of the table."""

    example: np.ndarray
    of_text: np.ndarray
    wrong: np.ndarray
    baseline_wrong: np.ndarray
    known_baseline: bool


def _joined(parts: Sequence[_Part]) -> Mistakes:
    """Put a job's examples in order; they may be in several parts of the table."""
    example, of_text, wrong, baseline_wrong, known = zip(*parts, strict=True)
    order = np.argsort(np.concatenate(example), kind="stable")
    baseline = np.concatenate(baseline_wrong)[order] if any(known) else None
    return _mistakes(np.concatenate(wrong)[order], baseline, len(np.unique(np.concatenate(of_text))))


def unpack(bits: bytes, kept: int) -> np.ndarray:
    """Return the bits as 0 and 1, [kept]."""
    return np.unpackbits(np.frombuffer(bits, dtype=np.uint8), count=kept)


def _mistakes(own: np.ndarray, baseline: np.ndarray | None, texts: int) -> Mistakes:
    n = len(own)
    kept = min(n, MAX_EXAMPLES)
    places = np.arange(kept) * n // kept
    return Mistakes(texts, kept, _packed(own[places]), None if baseline is None else _packed(baseline[places]))


def _packed(bits: np.ndarray) -> bytes:
    return np.packbits(bits).tobytes()
