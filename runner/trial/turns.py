"""Taking turns: a trial's box and its partner, the baseline's box, run on the same CPUs, one after the other.

The machine's speed changes from one tenth of a second to the next, where others share it. So both get the same inputs
in short turns, in the order AB BA AB …, and each turn of one is compared with the turn of the other beside it (duet
benchmarking, Bulej et al., ICPE 2020, made for one set of CPUs). While one runs, the other waits in a blocking read.

They talk through two named pipes in the partner's folder. The process that started the partner keeps one of them open:
when it closes it, or dies, the partner reads the end of file and ends.
"""

from __future__ import annotations

import os
import struct
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.trial.energy import EnergyMeter
from runner.trial.timing import Call, timed_calls

TO_PARTNER, TO_TRIAL = "to-partner", "to-trial"
_ASK = struct.Struct("<IIII?")  # session, what, first call, number of calls, lead-in
_ANSWER = struct.Struct("<Id")  # session, seconds of a call (of BEGIN)
_BEGIN, _TURN, _END = 0, 1, 2
LONG_CALL_SECONDS = 0.1  # beside this, bringing a model back into the cache does not count


@dataclass
class Side:
    """One side's calls: its model, its inputs, and what they took.

    Attributes:
        call, batches: what is timed; call number i gets batch i modulo their number.
        call_seconds: what a call takes, more or less.
        seconds: of each call, by its number.
        busy_seconds: of all its turns, untimed calls included.
        joules: that the CPU took during the timed calls; None where the machine does not show it.
    """

    call: Call
    batches: Sequence[Any]
    call_seconds: float
    seconds: array[float] = field(default_factory=lambda: array("d"))
    busy_seconds: float = 0.0
    joules: float | None = None

    def expect(self, calls: int) -> None:
        """Make room for so many calls."""
        self.seconds = array("d", bytes(8 * calls))
        self.busy_seconds = 0.0
        self._meter = EnergyMeter()
        self.joules = self._meter.joules()

    def take_turn(self, first: int, count: int, lead_in: bool) -> None:
        """Make the timed calls of a turn. A lead-in: one more, untimed, brings the model back into the cache."""
        began = time.perf_counter()
        if lead_in and self.call_seconds < LONG_CALL_SECONDS:
            self.call(self.batches[first % len(self.batches)])
        before = self._meter.joules()
        timed_calls(self.call, self.batches, self.seconds, first, count)
        after = self._meter.joules()
        if self.joules is None or before is None or after is None:
            self.joules = None  # a sum with a gap would be too low
        else:
            self.joules += after - before
        self.busy_seconds += time.perf_counter() - began


class Partner:
    """The partner as its trial sees it. If it ends before its time, the trial goes on alone and `lost` is true.

    Args:
        folder: with the two pipes.
        session: a number that no other trial of this partner has.
    """

    def __init__(self, folder: Path, session: int) -> None:
        self._ask = os.open(folder / TO_PARTNER, os.O_WRONLY)
        self._answer = os.open(folder / TO_TRIAL, os.O_RDONLY | os.O_NONBLOCK)  # else it waits for a partner that died
        os.set_blocking(self._answer, True)
        self._session = session
        self.waited_seconds = 0.0
        self.lost = False

    def begin(self, calls: int) -> float:
        """Announce how many calls will be asked for at most; return what one takes in seconds, 0 if it is lost."""
        return self._exchange(_BEGIN, 0, calls)

    def take_turn(self, first: int, count: int, lead_in: bool) -> None:
        """Let it make its calls of a turn, and wait for the end of them."""
        began = time.perf_counter()
        self._exchange(_TURN, first, count, lead_in)
        self.waited_seconds += time.perf_counter() - began

    def end(self) -> None:
        """Let it write what its calls took into its folder, for whoever started it."""
        self._exchange(_END, 0, 0)

    def _exchange(self, what: int, first: int, count: int, lead_in: bool = False) -> float:
        try:
            if not self.lost:
                os.write(self._ask, _ASK.pack(self._session, what, first, count, lead_in))
        except BrokenPipeError:
            self.lost = True
        while not self.lost:
            answer = os.read(self._answer, _ANSWER.size)
            if not answer:
                self.lost = True
                break
            session, value = _ANSWER.unpack(answer)
            if session == self._session:  # else meant for a trial that died waiting for it
                return float(value)
        return 0.0


def serve(side: Side, folder: Path, ready: Callable[[], None], write: Callable[[int, Side], None]) -> None:
    """Be the partner: answer trials until nobody holds the pipe any more.

    Args:
        side: the baseline's model and inputs.
        folder: with the two pipes.
        ready: is called once the pipes are open.
        write: is given a session's number and the side when the session ends.
    """
    answers = os.open(folder / TO_TRIAL, os.O_RDWR)
    asked = os.open(folder / TO_PARTNER, os.O_RDONLY)
    ready()
    while question := os.read(asked, _ASK.size):
        session, what, first, count, lead_in = _ASK.unpack(question)
        if what == _BEGIN:
            side.expect(count)
        elif what == _END:
            write(session, side)
        else:
            side.take_turn(first, count, lead_in)
        os.write(answers, _ANSWER.pack(session, side.call_seconds))


@dataclass(frozen=True)
class Schedule:
    """How the timed calls are cut into turns: `calls` in all, `per_turn` of them in each."""

    calls: int
    per_turn: int

    @property
    def turns(self) -> int:
        """Return their number."""
        return -(-self.calls // self.per_turn)

    def turn_of(self, call: int) -> int:
        """Return the turn that a call belongs to."""
        return call // self.per_turn


def schedule(call_seconds: float, partner_call_seconds: float, batches: int, timed: float, turn: float) -> Schedule:
    """Return as many whole passes over the batches as fit the time, one at least, cut into turns.

    Args:
        call_seconds: what a call takes, in seconds.
        partner_call_seconds: what the partner's takes; 0 without a partner.
        batches: in one pass.
        timed: seconds for the timed calls of both.
        turn: seconds for one turn of the slower of the two.
    """
    passes = max(1, int(timed / (batches * (call_seconds + partner_call_seconds))))
    per_turn = max(1, round(turn / max(call_seconds, partner_call_seconds)))
    return Schedule(passes * batches, min(per_turn, passes * batches))


def run_turns(side: Side, partner: Partner | None, plan: Schedule) -> None:
    """Run all turns, the partner's in between.

    The order is AB BA AB …, so a steady drift of the machine's speed cancels over two turns.
    """
    for turn in range(plan.turns):
        first = turn * plan.per_turn
        count = min(plan.per_turn, plan.calls - first)
        own_first = turn % 2 == 0
        if own_first:
            side.take_turn(first, count, lead_in=turn == 0)
        if partner is not None:
            partner.take_turn(first, count, lead_in=own_first)
        if not own_first:
            side.take_turn(first, count, lead_in=partner is not None)
