"""Resampled rounds and examples, the same in Python and in templates/choose.js."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np

DRAWS: Final = 1000
_ROUNDS_SEED, _EXAMPLES_SEED = 1, 2


def mulberry32(seed: int, count: int) -> np.ndarray:
    """Return the first numbers of the generator, 32 bits each (T. Ettinger, public domain, 2017).

    It counts and then mixes, so any of its numbers can be had without those before it.
    """
    state: np.ndarray = (np.uint32(seed) + np.arange(1, count + 1, dtype=np.uint32) * np.uint32(0x6D2B79F5)).astype(
        np.uint32
    )
    mixed: np.ndarray = (state ^ state >> np.uint32(15)) * (state | np.uint32(1))
    mixed ^= mixed + (mixed ^ mixed >> np.uint32(7)) * (mixed | np.uint32(61))
    mixed ^= mixed >> np.uint32(14)
    return mixed


def drawn_rounds(rounds: int, most: int) -> np.ndarray:
    """Return which rounds each draw consists of, [draws, rounds]: places from 0, with repetition.

    Args:
        rounds: how many the block has.
        most: how many the longest block of the question has; blocks of one length get the same places.
    """
    return _places(_ROUNDS_SEED, most, rounds)[:, :rounds]


@lru_cache(maxsize=8)
def drawn_examples(kept: int) -> np.ndarray:
    """Return how often each example is in each draw, [draws, kept]."""
    places = _places(_EXAMPLES_SEED, kept, kept)
    flat = (places + kept * np.arange(DRAWS)[:, None]).ravel()
    return np.bincount(flat, minlength=DRAWS * kept).reshape(DRAWS, kept).astype(float)


def _places(seed: int, width: int, below: int) -> np.ndarray:
    numbers = mulberry32(seed, DRAWS * width).astype(np.uint64).reshape(DRAWS, width)
    return (numbers * np.uint64(below) >> np.uint64(32)).astype(np.int64)
