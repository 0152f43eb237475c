"""Taking turns: the schedule, the order, and partners that get lost. Both sides run here, as two threads."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runner.trial.timing import Call
from runner.trial.turns import TO_PARTNER, TO_TRIAL, Partner, Schedule, Side, run_turns, schedule, serve
from tests.patience import PATIENCE_SECONDS


@pytest.fixture
def pipes(tmp_path: Path) -> Path:
    for name in (TO_PARTNER, TO_TRIAL):
        os.mkfifo(tmp_path / name)
    return tmp_path


def call(run: Callable[[Any], Any]) -> Call:
    """Return a call whose texts are the engine's input."""
    return Call(lambda texts: texts, run)


class Both:
    """A partner in a thread, and what both sides called, in order."""

    def __init__(self, folder: Path) -> None:
        self.called: list[tuple[str, int]] = []
        self.written: dict[int, int] = {}
        self.folder = folder
        self.partner = self.side("partner")
        self._held = os.open(folder / TO_PARTNER, os.O_RDWR)
        self._ready = threading.Event()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        assert self._ready.wait(PATIENCE_SECONDS)  # as the host does, before it starts a trial

    def side(self, name: str) -> Side:
        return Side(call(lambda batch: self.called.append((name, batch))), [0, 1, 2, 3], call_seconds=0.01)

    def close(self) -> None:
        os.close(self._held)

    def _serve(self) -> None:
        def write(session: int, side: Side) -> None:
            self.written[session] = len(side.seconds.latency)

        serve(self.partner, self.folder, self._ready.set, write)


@pytest.fixture
def both(pipes: Path) -> Iterator[Both]:
    running = Both(pipes)
    yield running
    running.close()


def test_turns_alternate_on_the_same_batches_with_a_lead_in_after_the_other_side(both: Both) -> None:
    side, partner = both.side("own"), Partner(both.folder, session=7)
    assert partner.begin(6) == 0.01
    side.expect(6)
    run_turns(side, partner, Schedule(calls=6, per_turn=2))
    partner.end()
    assert not partner.lost
    lead = both.called
    assert lead == [
        *[("own", 0), ("own", 0), ("own", 1)],  # the first call of a switch is made twice: once untimed
        *[("partner", 0), ("partner", 0), ("partner", 1)],
        *[("partner", 2), ("partner", 3)],
        *[("own", 2), ("own", 2), ("own", 3)],
        *[("own", 0), ("own", 1)],
        *[("partner", 0), ("partner", 0), ("partner", 1)],
    ]
    assert all(seconds > 0 for seconds in side.seconds.latency)
    assert both.written == {7: 6}


def test_a_partner_serves_one_trial_after_the_other_and_ends_with_its_pipe(both: Both) -> None:
    for session in (1, 2):
        partner = Partner(both.folder, session)
        partner.begin(4)
        side = both.side("own")
        side.expect(4)
        run_turns(side, partner, Schedule(4, 4))
        partner.end()
    assert both.written == {1: 4, 2: 4}
    assert both.thread.is_alive()


def test_an_answer_meant_for_a_trial_that_died_is_passed_over(both: Both) -> None:
    dead = Partner(both.folder, session=1)
    os.write(dead._requests, b"\1\0\0\0" + b"\0" * 12 + b"\0\0")
    alive = Partner(both.folder, session=2)
    assert alive.begin(3) == 0.01
    alive.end()
    assert both.written == {2: 3}


def test_a_partner_that_gets_lost_leaves_the_trial_to_finish_alone(pipes: Path) -> None:
    answers_once = (
        f"import os; held = os.open({TO_TRIAL!r}, os.O_RDWR); asked = os.open({TO_PARTNER!r}, os.O_RDONLY);"
        "question = os.read(asked, 18); os.write(held, question[:4] + bytes(9))"
    )
    with subprocess.Popen([sys.executable, "-c", answers_once], cwd=pipes):
        partner = Partner(pipes, session=5)
        side = Side(call(lambda _: None), [0], call_seconds=0.01)
        partner.begin(4)
        side.expect(4)
        run_turns(side, partner, Schedule(4, 2))
        partner.end()
        assert partner.lost
        assert all(seconds > 0 for seconds in side.seconds.latency)


def test_a_partner_that_died_before_the_trial_began_is_not_waited_for(pipes: Path) -> None:
    held = os.open(pipes / TO_PARTNER, os.O_RDWR)  # as whoever started it does
    partner = Partner(pipes, session=5)
    assert partner.begin(4) == 0.0
    assert partner.lost
    os.close(held)


def test_without_a_partner_every_call_is_made_once_but_for_the_first_lead_in() -> None:
    seen: list[int] = []
    side = Side(call(seen.append), [0, 1, 2], call_seconds=0.01)
    side.expect(6)
    run_turns(side, None, Schedule(6, 2))
    assert seen == [0, 0, 1, 2, 0, 1, 2]


def test_long_calls_need_no_lead_in() -> None:
    seen: list[int] = []
    side = Side(call(seen.append), [0], call_seconds=0.5)
    side.expect(1)
    side.take_turn(0, 1, lead_in=True)
    assert seen == [0]


@pytest.mark.parametrize(
    ("own", "partner", "batches", "expected"),
    [
        (0.01, 0.01, 32, Schedule(96, 4)),  # three passes fit 2 s
        (0.01, 0.02, 32, Schedule(64, 2)),  # a turn is as long as the slower one allows
        (0.02, 0.02, 32, Schedule(64, 2)),  # 1.6 passes fit, which is nearer to two
        (1.0, 1.5, 8, Schedule(8, 1)),  # one pass at least, one call at least
        (0.0001, 0.0, 4, Schedule(20000, 400)),
        (0.001, 0.001, 2, Schedule(1000, 40)),
    ],
)
def test_the_schedule_is_whole_passes_in_short_turns(
    own: float, partner: float, batches: int, expected: Schedule
) -> None:
    found = schedule(own, partner, batches, timed=2.0, turn=0.04)
    assert found == expected
    assert found.turn_of(found.calls - 1) == found.turns - 1
    assert found.calls % batches == 0


def test_a_side_hands_over_only_when_its_threads_are_idle(monkeypatch: pytest.MonkeyPatch, both: Both) -> None:
    """Each side settles after the first half of every other turn, and not where its own turns follow each other."""
    waits: list[int] = []
    monkeypatch.setattr("runner.trial.turns.wait_until_idle", lambda: not waits.append(threading.get_ident()))
    side, partner = both.side("own"), Partner(both.folder, session=7)
    side.threads = 2
    partner.begin(6)
    side.expect(6)
    run_turns(side, partner, Schedule(calls=6, per_turn=2))
    assert waits == [threading.get_ident()] * 2
    assert side.settling_seconds > 0
    assert side.unsettled_turns == partner.unsettled_turns == 0


def test_turns_after_which_threads_spin_on_are_numbered(monkeypatch: pytest.MonkeyPatch, both: Both) -> None:
    monkeypatch.setattr("runner.trial.turns.wait_until_idle", lambda: False)
    both.partner.threads = 2
    side, partner = both.side("own"), Partner(both.folder, session=7)
    side.threads = 2
    partner.begin(6)
    side.expect(6)
    run_turns(side, partner, Schedule(calls=6, per_turn=2))
    assert (side.unsettled_turns, partner.unsettled_turns) == (2, 1)


def test_only_waiting_in_its_own_turns_is_a_side_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's counter gains 1 in each of the two turns, and 5 between them, at the hand-over."""
    told = iter([10.0, 11.0, 16.0, 17.0])
    monkeypatch.setattr("runner.trial.turns.waiting_seconds", lambda: next(told))
    side = Side(call(lambda _: None), [0], call_seconds=1.0)
    side.expect(2)
    side.take_turn(0, 1, lead_in=False, hand_over=True)
    side.take_turn(1, 1, lead_in=False)
    assert side.waiting_seconds == 2.0


def test_waiting_that_was_not_told_in_one_turn_is_not_known_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    told = iter([1.0, None, 2.0, 3.0])
    monkeypatch.setattr("runner.trial.turns.waiting_seconds", lambda: next(told))
    side = Side(call(lambda _: None), [0], call_seconds=1.0)
    side.expect(2)
    side.take_turn(0, 1, lead_in=False)
    side.take_turn(1, 1, lead_in=False)
    assert side.waiting_seconds is None


def test_energy_that_was_not_told_in_one_turn_is_not_known_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    told = iter([0.0, 1.0, 2.0, None, 3.0, 4.0, 5.0])
    monkeypatch.setattr("runner.trial.turns.EnergyMeter", lambda: SimpleNamespace(joules=lambda: next(told)))
    side = Side(call(lambda _: None), [0], call_seconds=1.0)
    side.expect(3)
    side.take_turn(0, 1, lead_in=False)
    assert side.joules == 1.0
    side.take_turn(1, 1, lead_in=False)
    side.take_turn(2, 1, lead_in=False)
    assert side.joules is None
