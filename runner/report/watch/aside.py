"""Keep this process out of the way of the measurements."""

from __future__ import annotations

import os

from runner.machine.topology import physical_cores

_LOWEST_PRIORITY = 19


def stand_aside() -> int:
    """Run at the lowest priority and on the first core from now on. Return the number of cores for boxes.

    Boxes get the last cores (`choose_cpus`), so only a trial that takes all cores is measured on the first one. Call it
    before anything that starts threads: existing threads keep their priority and cores.
    """
    cores = physical_cores()
    os.nice(_LOWEST_PRIORITY)
    os.sched_setaffinity(0, {cores[0]})
    return len(cores)
