"""Keeping out of the way of what is being measured."""

from __future__ import annotations

import os

from runner.machine.topology import physical_cores

_LOWEST_PRIORITY = 19


def stand_aside() -> int:
    """Run at the lowest priority and on the first core from now on; return how many cores there are for boxes.

    Boxes get the last cores (`choose_cpus`), so the first one is measured on only by a trial that takes all. Threads
    that are there already keep what they have: to be called before anything that starts some.
    """
    cores = physical_cores()
    os.nice(_LOWEST_PRIORITY)
    os.sched_setaffinity(0, {cores[0]})
    return len(cores)
