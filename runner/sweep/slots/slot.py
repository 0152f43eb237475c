"""Slots: several rounds measured at once on one machine, each with its own baselines on a last-level cache of its own.

A slot works in a process of its own, as a cluster's node does, so each ratio and each A/A pair stays within one slot.
What it costs is measured: one more pair of each baseline a round, alone, in that round's slot. The default is no slots:
one trial after the other.
"""

from __future__ import annotations

from ctypes import c_int
from dataclasses import dataclass


@dataclass(frozen=True)
class Slot:
    """A place for one round at a time.

    Attributes:
        number: from 0.
        cpus: all that share its cache; the trials get whole cores of them.
    """

    number: int
    cpus: list[int]


_here: tuple[Slot, c_int] | None = None


def enter(slot: Slot, at_work: c_int) -> None:
    """Be in a slot from now on.

    Args:
        slot: this process's own.
        at_work: how many slots are measuring, this one included; shared by all.
    """
    global _here
    _here = slot, at_work


def this_slot() -> int | None:
    """Return the number of the slot that this process measures in; None without slots."""
    return _here[0].number if _here else None


def slots_beside() -> int | None:
    """Return how many other slots are measuring now; None without slots."""
    return _here[1].value - 1 if _here else None
