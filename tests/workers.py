"""How the workers of pytest-xdist share the test files, so that sweeps do not wait for each other.

Sweeps take turns on the core on which they measure. Therefore one worker runs them while the others run other tests: it
takes files from the front of the queue, where those with sweeps are, and the others take them from its back.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

_LONG = {"slow", "browser", "architectures"}  # the marks of other tests that take long


def sort_for_workers(items: list[pytest.Item]) -> None:
    """Put the files with the most sweeps first, and those with the most other long tests, or the most tests, last.

    The workers meet at the short files between them, so they end at nearly the same time.
    """
    sweeps, long, tests = Counter[Path](), Counter[Path](), Counter[Path]()
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        sweeps[item.path] += "sweep" in marks
        long[item.path] += bool(marks & _LONG)
        tests[item.path] += 1
    items.sort(key=lambda item: (-sweeps[item.path], long[item.path], tests[item.path]))


class FromBothEnds(LoadFileScheduling):
    """Give the first worker the file at the front of the queue, and every other worker the one at its back."""

    def _assign_work_unit(self, node: WorkerController) -> None:
        if node is not self.nodes[0]:
            self.workqueue.move_to_end(next(reversed(self.workqueue)), last=False)
        super()._assign_work_unit(node)
