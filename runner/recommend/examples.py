"""Which examples a job gets wrong, one bit each."""

from __future__ import annotations

import base64
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import pyarrow.compute as pc

from runner.results.tables import Tables, coded, places_by_job

#: At most so many examples are resampled: of more, evenly spaced ones. Their scatter is then brought to that of as many
#: as there are texts: words of one text count as if they were all alike.
MAX_EXAMPLES: Final = 1000


@dataclass(frozen=True)
class Mistakes:
    """The mistakes of a job and of its baseline on the same examples.

    Attributes:
        examples: how many were evaluated.
        texts: of how many texts they are: of tagged ones every word is an example.
        kept: how many of them have a bit.
        own, baseline: base64 of the bits, first example first, the last byte filled with 0; baseline None if unknown.
    """

    examples: int
    texts: int
    kept: int
    own: str
    baseline: str | None


def mistakes(tables: Tables, jobs: Collection[str]) -> dict[str, Mistakes]:
    """Return the mistakes of the jobs among `jobs` that have predictions. A missing prediction is a mistake."""
    found: dict[str, list[_Part]] = {}
    columns = ["job", "example", "of_text", "label", "prediction", "baseline_prediction"]
    for part in tables.predictions.parts(columns, jobs):
        known: dict[str, int] = {}
        label, own, baseline = (coded(part[name], known) for name in ("label", "prediction", "baseline_prediction"))
        wrong, baseline_wrong = ((label < 0) | (side < 0) | (label != side) for side in (own, baseline))
        example = part["example"].to_numpy()
        of_text = pc.coalesce(part["of_text"], part["example"]).to_numpy()  # null: of before words were evaluated
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


def unpack(bits: str, kept: int) -> np.ndarray:
    """Return the bits as 0 and 1, [kept]."""
    return np.unpackbits(np.frombuffer(base64.b64decode(bits), dtype=np.uint8), count=kept)


def _mistakes(own: np.ndarray, baseline: np.ndarray | None, texts: int) -> Mistakes:
    n = len(own)
    kept = min(n, MAX_EXAMPLES)
    places = np.arange(kept) * n // kept
    return Mistakes(n, texts, kept, _packed(own[places]), None if baseline is None else _packed(baseline[places]))


def _packed(bits: np.ndarray) -> str:
    return base64.b64encode(np.packbits(bits).tobytes()).decode()
