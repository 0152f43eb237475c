"""Which slots a machine has, what is refused, and what is said."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.errors import UserError
from runner.machine import topology
from runner.sweep.slots.choose import choose_slots
from runner.sweep.slots.slot import Slot
from tests.sweep.slots.topology import show_cpus

Machine = Callable[..., None]
FOUR_PAIRS = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [12, 13, 14, 15]]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    """Make up a machine, of which this process may use all CPUs or those that are named."""

    def make(caches: list[list[int]], cores_of: dict[int, int] | None = None, allowed: set[int] | None = None) -> None:
        every = {cpu for shared in caches for cpu in shared}
        monkeypatch.setattr(topology, "_CPUS", show_cpus(tmp_path, caches, cores_of))
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: allowed or every)

    return make


def test_a_slot_is_a_last_level_cache(machine: Machine) -> None:
    machine([[0, 1, 8, 9], [2, 3, 10, 11]], cores_of={8: 0, 9: 1, 10: 2, 11: 3})
    assert [(domain.cpus, domain.cores) for domain in topology.cache_domains()] == [
        ([0, 1, 8, 9], [0, 1]),
        ([2, 3, 10, 11], [2, 3]),
    ]
    slots, note = choose_slots("auto", 2)
    assert slots == [Slot(0, [0, 1, 8, 9]), Slot(1, [2, 3, 10, 11])]
    assert note is not None
    assert "2 rounds are measured at once" in note
    assert "slot 2: CPUs 2-3,10-11" in note


def test_one_is_no_slots_and_looks_at_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.sweep.slots.choose.cache_domains", None)
    assert choose_slots(1, 1) == ([], None)


def test_a_number_takes_the_last_caches(machine: Machine) -> None:
    machine(FOUR_PAIRS)
    assert [slot.cpus for slot in choose_slots(2, 4)[0]] == FOUR_PAIRS[2:]
    assert len(choose_slots(4, 4)[0]) == len(choose_slots("auto", 4)[0]) == 4


def test_hyperthreads_are_not_cores(machine: Machine) -> None:
    machine([[0, 1], [2, 3]], cores_of={1: 0, 3: 2})
    assert len(choose_slots("auto", 1)[0]) == 2
    with pytest.raises(UserError, match=r"of 2 such caches, 0 of one size have the 2 cores that a trial needs"):
        choose_slots(2, 2)


def test_only_the_cpus_that_may_be_used_count(machine: Machine) -> None:
    machine(FOUR_PAIRS, allowed={0, 1, 2, 3, 4, 8, 9, 10, 11})
    assert [slot.cpus for slot in choose_slots("auto", 4)[0]] == [FOUR_PAIRS[0], FOUR_PAIRS[2]]
    with pytest.raises(UserError, match=r"slots is 3, .* 2 of one size have the 4 cores .* Give 1 to 2, or auto"):
        choose_slots(3, 4)


def test_caches_of_another_size_are_left_out(machine: Machine, tmp_path: Path) -> None:
    machine(FOUR_PAIRS)
    for cpu in FOUR_PAIRS[1]:
        (tmp_path / f"cpu{cpu}/cache/index2/size").write_text("98304K")
    assert [slot.cpus for slot in choose_slots("auto", 1)[0]] == [FOUR_PAIRS[0], *FOUR_PAIRS[2:]]


@pytest.mark.parametrize("told", [True, False])
def test_one_cache_is_one_round_at_a_time_and_said_so(machine: Machine, tmp_path: Path, told: bool) -> None:
    machine([[0, 1]] if told else [[0], [1]])
    if not told:  # nor may what is known of the other CPU make a slot of it
        for path in (tmp_path / "cpu1/cache").glob("*/level"):
            path.unlink()
    slots, note = choose_slots("auto", 1)
    assert slots == []
    assert note == (
        "slots=auto means one round at a time here: "
        "as far as the kernel shows, all CPUs that may be used share one cache."
    )
    with pytest.raises(UserError, match=r"slots is 2, but each slot needs its own last-level cache: .* Give 1\."):
        choose_slots(2, 1)


@pytest.mark.parametrize("asked", [0, -2, "lots", "2", 1.5, None, [2]])
def test_what_is_no_number_of_slots(asked: object) -> None:
    with pytest.raises(UserError, match="must be a whole number from 1 up, or auto"):
        choose_slots(asked, 1)
