"""How test files are shared between workers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.workers import FromBothEnds, sort_for_workers


def _item(file: str, *marks: str) -> Any:
    return SimpleNamespace(path=Path(file), iter_markers=lambda: [SimpleNamespace(name=mark) for mark in marks])


def test_sweeps_come_first_and_other_long_tests_last() -> None:
    items = [
        *[_item("quick")] * 4,
        _item("one"),
        _item("mixed"),
        _item("mixed", "slow"),
        _item("long", "slow"),
        _item("long", "browser"),
    ]
    items += [_item("sweep", "sweep"), _item("sweeps"), _item("sweeps", "sweep"), _item("sweeps", "sweep", "docker")]
    sort_for_workers(items)
    assert [item.path.name for item in items] == [
        *["sweeps"] * 3,
        "sweep",
        "one",
        *["quick"] * 4,
        *["mixed"] * 2,
        *["long"] * 2,
    ]


class _Node:
    """A worker that notes the tests that it is given."""

    shutting_down = False

    def __init__(self, name: str) -> None:
        self.gateway = SimpleNamespace(id=name)
        self.given: list[int] = []

    def send_runtest_some(self, indices: list[int]) -> None:
        self.given += indices

    def shutdown(self) -> None:
        self.shutting_down = True


def test_one_worker_takes_files_from_the_front_and_the_other_from_the_back() -> None:
    tests = [f"{file}.py::{number}" for file in "abcdef" for number in range(3)]
    options = {"tx": ["2*popen"], "loadscopereorder": False}
    config: Any = SimpleNamespace(getvalue=options.get, option=SimpleNamespace(**options))
    scheduler, first, second = FromBothEnds(config), _Node("first"), _Node("second")
    nodes: list[Any] = [first, second]
    for node in nodes:
        scheduler.add_node(node)
        scheduler.add_node_collection(node, tests)
    scheduler.schedule()
    assert (first.given, second.given) == ([0, 1, 2], [15, 16, 17])
    for index in (0, 1, 2, 3):  # it is given more as soon as only two are left
        scheduler.mark_test_complete(nodes[0], index)
    assert first.given == [0, 1, 2, 3, 4, 5, 6, 7, 8]
    for index in (15, 16, 17, 12):
        scheduler.mark_test_complete(nodes[1], index)
    assert second.given == [15, 16, 17, 12, 13, 14, 9, 10, 11]
    assert not scheduler.workqueue
