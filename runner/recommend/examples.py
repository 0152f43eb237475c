"""Which examples a job gets wrong, one bit each."""

from __future__ import annotations

import base64
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from runner.results.tables import Tables

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
    table = tables.predictions.select(["job", "example", "label", "prediction", "baseline_prediction"])
    encoded = pc.dictionary_encode(table["job"]).combine_chunks()
    names = encoded.dictionary.to_pylist() if isinstance(encoded, pa.DictionaryArray) else []
    codes = encoded.indices.to_numpy() if names else np.zeros(0, dtype=int)
    order = np.lexsort((table["example"].to_numpy(), codes))
    wrong, baseline_wrong = (_differ(table, column)[order] for column in ("prediction", "baseline_prediction"))
    known = pc.is_valid(table["baseline_prediction"]).to_numpy(zero_copy_only=False)[order]
    bounds = np.searchsorted(codes[order], np.arange(len(names) + 1))
    spans = ((name, slice(*bounds[code : code + 2])) for code, name in enumerate(names) if name in jobs)
    return {name: _mistakes(wrong[span], baseline_wrong[span] if known[span].any() else None) for name, span in spans}


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


def _differ(table: Any, column: str) -> np.ndarray:
    right = pc.fill_null(pc.equal(table["label"], table[column]), False)
    wrong: np.ndarray = ~right.to_numpy(zero_copy_only=False)
    return wrong
