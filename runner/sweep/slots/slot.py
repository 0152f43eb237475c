"""Define a slot, in which one round is measured while other slots measure other rounds.

Each slot has its own process and its own last-level cache, and each round has its own baselines. So each ratio and each
A/A pair stays within one slot, as it stays within one node of a cluster. The cost of slots is measured: in each round,
a pair of each baseline runs alone in the round's slot. By default there are no slots, and one trial runs at a time.
"""

from __future__ import annotations

from ctypes import c_int
from dataclasses import dataclass


@dataclass(frozen=True)
class Slot:
    """A place for one round at a time.

    Attributes:
        number: the number of the slot, from 0.
        cpus: all CPUs that share the slot's cache. The trials get whole cores of them.
    """

    number: int
    cpus: list[int]


_here: tuple[Slot, c_int] | None = None


def enter(slot: Slot, at_work: c_int) -> None:
    """Set the slot in which this process measures.

    Args:
        slot: the slot.
        at_work: the number of slots that are measuring, including this one. All slots share it.
    """
    global _here
    _here = slot, at_work


def this_slot() -> int | None:
    """Return the number of the slot in which this process measures, or None without slots."""
    return _here[0].number if _here else None


def slots_beside() -> int | None:
    """Return how many other slots are measuring now, or None without slots."""
    return _here[1].value - 1 if _here else None
