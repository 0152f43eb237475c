"""Take turns: a trial's box and its partner, the baseline's box, run alternately on the same CPUs.

The speed of a shared machine changes within tenths of a second. Therefore both boxes get the same inputs in short
turns, in the order AB BA AB …, and each turn is compared with the adjacent turn of the other box. This is duet
benchmarking (Bulej et al., ICPE 2020) for one set of CPUs. While one box runs, the other waits in a blocking read.

With several threads, a box hands over only when its threads are idle, because the threads of an engine spin for some
time after a call. The first call after a hand-over is not timed: it fills the cache and wakes the threads.

The boxes communicate through two named pipes in the partner's folder. The process that started the partner keeps one of
them open. When that process closes the pipe or dies, the partner reads the end of file and ends.
"""

from __future__ import annotations

import os
import resource
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.trial.box import waiting_seconds
from runner.trial.energy import EnergyMeter
from runner.trial.idle import wait_until_idle
from runner.trial.timing import Call, Durations, timed_calls

TO_PARTNER, TO_TRIAL = "to-partner", "to-trial"
_REQUEST = struct.Struct("<IIII??")  # session, action, number of the first call, number of calls, lead-in, hand over
_ANSWER = struct.Struct("<Id?")  # session, duration of a call in seconds, whether the partner's threads are idle
_BEGIN, _TURN, _END = 0, 1, 2  # the actions
LONG_CALL_SECONDS = 0.1  # in such a call, the time to load the model into the cache again is negligible


@dataclass
class Side:
    """The calls of a trial, or those of its partner, and their durations.

    Attributes:
        call: the call to make, from texts to predictions.
        batches: the texts of each call. Call number i gets batch number i modulo the number of batches.
        call_seconds: the approximate duration of a call.
        threads: the number of the engine's threads.
        goes_idle: whether the threads go idle between calls, as found by `settle` after the warm-up.
        seconds: the durations of the calls.
        busy_seconds: the duration of all turns, including untimed calls and the time until the threads were idle.
        settling_seconds: the time from the last call of a turn until the threads were idle, for all turns together.
        unsettled_turns: the number of turns after which the threads were not idle in time.
        waiting_seconds: the time in its own turns for which its threads were ready but had no CPU, or None if not
            known. At a hand-over, the side that is woken may run before the other one has reached its blocking read.
            That waiting disturbs no call, so it is not included.
        involuntary_switches: the number of involuntary context switches in its own turns.
        joules: the energy of the CPU during the timed calls, or None if the machine does not show it.
    """

    call: Call
    batches: Sequence[Any]
    call_seconds: float
    threads: int = 1
    goes_idle: bool = True
    seconds: Durations = field(default_factory=Durations)
    busy_seconds: float = 0.0
    settling_seconds: float = 0.0
    unsettled_turns: int = 0
    waiting_seconds: float | None = 0.0
    involuntary_switches: int = 0
    joules: float | None = None

    def expect(self, calls: int) -> None:
        """Allocate space for the durations of `calls` calls, and reset the counters."""
        self.seconds = Durations(calls)
        self.busy_seconds = self.settling_seconds = 0.0
        self.unsettled_turns = self.involuntary_switches = 0
        self.waiting_seconds = 0.0
        self._meter = EnergyMeter()
        self.joules = self._meter.joules()

    def take_turn(self, first: int, count: int, lead_in: bool, hand_over: bool = False) -> bool:
        """Make the timed calls of a turn. Before a hand-over, wait until this side's threads are idle.

        Args:
            first: the number of the first call.
            count: the number of calls.
            lead_in: whether an untimed call comes first, which loads the model into the cache.
            hand_over: whether the other side runs next.

        Returns:
            Whether the threads are idle. Without a hand-over, it is always True.
        """
        began = time.perf_counter()
        waiting, switches = waiting_seconds(), _involuntary_switches()  # the lead-in then fills the cache again
        if lead_in and self.call_seconds < LONG_CALL_SECONDS:
            self.call(self.batches[first % len(self.batches)])
        joules = self._meter.joules()
        timed_calls(self.call, self.batches, self.seconds, first, count)
        self.joules = _plus(self.joules, joules, self._meter.joules())
        self.involuntary_switches += _involuntary_switches() - switches
        self.waiting_seconds = _plus(self.waiting_seconds, waiting, waiting_seconds())
        idle = not hand_over or self.settle()
        self.unsettled_turns += not idle
        self.busy_seconds += time.perf_counter() - began
        return idle

    def settle(self) -> bool:
        """Wait until this side's threads are idle, and return whether they are. A single thread is idle at once."""
        if self.threads == 1:
            return True
        began = time.perf_counter()
        idle = wait_until_idle()
        self.settling_seconds += time.perf_counter() - began
        return idle


def _plus(total: float | None, before: float | None, after: float | None) -> float | None:
    """Add what a counter has gained. If a part is missing, return None, because the sum would be too low."""
    return None if total is None or before is None or after is None else total + after - before


def _involuntary_switches() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


class Partner:
    """The partner of a trial, seen from the trial's box.

    If the partner ends too early, the trial continues alone.

    Args:
        folder: the folder with the two pipes.
        session: a number that identifies this trial to the partner.

    Attributes:
        waited_seconds: the duration of all turns of the partner.
        unsettled_turns: the number of the partner's turns after which its threads were not idle in time.
        goes_idle: whether the partner's threads go idle between calls. Otherwise no turns can be taken.
        lost: whether the partner has ended too early.
    """

    def __init__(self, folder: Path, session: int) -> None:
        self._requests = os.open(folder / TO_PARTNER, os.O_WRONLY)
        self._answers = os.open(folder / TO_TRIAL, os.O_RDONLY | os.O_NONBLOCK)  # a dead partner would block this call
        os.set_blocking(self._answers, True)
        self._session = session
        self.waited_seconds = 0.0
        self.unsettled_turns = 0
        self.goes_idle = True
        self.lost = False

    def begin(self, calls: int) -> float:
        """Announce the number of calls, and return the duration of a call in seconds, or 0 if the partner is lost."""
        call_seconds, self.goes_idle = self._exchange(_BEGIN, 0, calls)
        return call_seconds

    def take_turn(self, first: int, count: int, lead_in: bool, hand_over: bool = False) -> None:
        """Let the partner make the calls of a turn, and wait until it has made them; see `Side.take_turn`."""
        began = time.perf_counter()
        _, idle = self._exchange(_TURN, first, count, lead_in, hand_over)
        self.unsettled_turns += not idle
        self.waited_seconds += time.perf_counter() - began

    def end(self) -> None:
        """Let the partner write the durations of its calls into its folder."""
        self._exchange(_END, 0, 0)

    def _exchange(
        self, action: int, first: int, count: int, lead_in: bool = False, hand_over: bool = False
    ) -> tuple[float, bool]:
        try:
            if not self.lost:
                os.write(self._requests, _REQUEST.pack(self._session, action, first, count, lead_in, hand_over))
        except BrokenPipeError:
            self.lost = True
        while not self.lost:
            answer = os.read(self._answers, _ANSWER.size)
            if not answer:
                self.lost = True
                break
            session, call_seconds, idle = _ANSWER.unpack(answer)
            if session == self._session:  # other answers were meant for trials that have died
                return call_seconds, idle
        return 0.0, True


def serve(side: Side, folder: Path, ready: Callable[[], None], write: Callable[[int, Side], None]) -> None:
    """Answer trials as their partner until no process has the pipe open.

    Args:
        side: the baseline's model and inputs.
        folder: the folder with the two pipes.
        ready: a function that is called when the pipes are open.
        write: a function that is called when a session ends. It gets the session's number and the side.
    """
    answers = os.open(folder / TO_TRIAL, os.O_RDWR)
    requests = os.open(folder / TO_PARTNER, os.O_RDONLY)
    ready()
    while request := os.read(requests, _REQUEST.size):
        session, action, first, count, lead_in, hand_over = _REQUEST.unpack(request)
        idle = side.goes_idle
        if action == _BEGIN:
            side.expect(count)
        elif action == _END:
            write(session, side)
        else:
            idle = side.take_turn(first, count, lead_in, hand_over)
        os.write(answers, _ANSWER.pack(session, side.call_seconds, idle))


@dataclass(frozen=True)
class Schedule:
    """The division of the timed calls into turns.

    Attributes:
        calls: the number of all calls.
        per_turn: the number of calls in a turn. The last turn may have fewer.
    """

    calls: int
    per_turn: int

    @property
    def turns(self) -> int:
        """Return the number of turns."""
        return -(-self.calls // self.per_turn)

    def turn_of(self, call: int) -> int:
        """Return the number of the turn to which a call belongs."""
        return call // self.per_turn


def timed_seconds(configured: float, threads: int) -> float:
    """Return the time for the timed calls of a trial and its partner together.

    With several threads it is twice the configured time, because the ratios of single calls then have about twice the
    variance.

    Args:
        configured: measure.timed_seconds.
        threads: the number of the engine's threads.
    """
    return 2 * configured if threads > 1 else configured


def schedule(call_seconds: float, partner_call_seconds: float, batches: int, timed: float, turn: float) -> Schedule:
    """Return the schedule for about as many whole passes over the batches as fit into the time, at least one.

    Args:
        call_seconds: the duration of a call of the trial.
        partner_call_seconds: the duration of a call of the partner, or 0 without a partner.
        batches: the number of batches in a pass.
        timed: the time in seconds for the timed calls of both.
        turn: the duration in seconds of a turn of the slower one.
    """
    passes = max(1, round(timed / (batches * (call_seconds + partner_call_seconds))))
    per_turn = max(1, round(turn / max(call_seconds, partner_call_seconds)))
    return Schedule(passes * batches, min(per_turn, passes * batches))


def run_turns(side: Side, partner: Partner | None, plan: Schedule) -> None:
    """Run all turns of the trial and of its partner.

    The order is AB BA AB …, so that a steady drift of the machine's speed cancels over two turns.
    """
    for turn in range(plan.turns):
        first = turn * plan.per_turn
        count = min(plan.per_turn, plan.calls - first)
        trial_first = turn % 2 == 0
        if trial_first:
            side.take_turn(first, count, lead_in=turn == 0, hand_over=partner is not None)
        if partner is not None:
            partner.take_turn(first, count, lead_in=trial_first, hand_over=not trial_first)
        if not trial_first:
            side.take_turn(first, count, lead_in=partner is not None)
