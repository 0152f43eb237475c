"""Launching in slots: each round of the jobs that share a baseline gets a process, pinned to its slot.

The pairs alone come one at a time, while all other slots are idle: half of them before the rounds, half after, so that
a machine that gets slower over the sweep does not look like a cost of slots.
"""

from __future__ import annotations

import os
import signal
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from types import FrameType
from typing import NoReturn

from runner.console import minutes, say
from runner.errors import MachineError, UserError, storage_error
from runner.isolation.process import die_with
from runner.machine.topology import core_gone
from runner.results.records.plan import TrialSpec
from runner.sweep.cluster.units import Unit, units_of
from runner.sweep.partner import close_partner
from runner.sweep.rounds import Launch
from runner.sweep.slots.slot import Slot, enter

_FORK = get_context("fork")  # a slot goes on with what is composed and imported here
_END_SECONDS = 60.0  # for a slot to remove its boxes; an engine may be slow
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class _Work:
    """A unit, the slot that it belongs to, and the number of its first trial among all."""

    unit: Unit
    slot: Slot
    first: int


class InSlots:
    """A launch that measures several rounds at once.

    A round's slot follows from its number: whatever is interrupted goes on in the same one, a pair alone is measured
    where its round is, and each slot gets as much of every block of jobs.

    Args:
        slots: at least two.
        blocks: the keys of the blocks of jobs, in a fixed order.
        launch: runs trials one after the other.
    """

    def __init__(self, slots: Sequence[Slot], blocks: Sequence[str], launch: Launch) -> None:
        self._slots, self._launch = slots, launch
        self._place = {block: place for place, block in enumerate(blocks)}
        self._at_work = _FORK.RawValue("i", 0)
        self._running: dict[Connection, tuple[_Work, ForkProcess]] = {}

    def __call__(self, trials: list[TrialSpec], first: int) -> None:
        """Run trials.

        Raises:
            MachineError: if the engine, the disk or a core has gone, or a slot: then all of them have stopped.
        """
        alone, beside = (units_of(trial for trial in trials if trial.is_alone is wanted) for wanted in (True, False))
        half = (len(alone) + 1) // 2
        self._ended, self._units, self._began = 0, len(alone) + len(beside), time.monotonic()
        try:
            for units, at_once in ((alone[:half], 1), (beside, len(self._slots)), (alone[half:], 1)):
                self._run(self._works(units, first), at_once)
                first += sum(len(unit.trials) for unit in units)
        finally:
            self._stop()

    def _works(self, units: Sequence[Unit], first: int) -> list[_Work]:
        works = []
        for unit in units:
            trial = unit.trials[0]
            slot = self._slots[(self._place[trial.block] + trial.round) % len(self._slots)]
            works.append(_Work(unit, slot, first))
            first += len(unit.trials)
        return works

    def _run(self, works: list[_Work], at_once: int) -> None:
        """Run all of them, at most so many at once, and one in a slot."""
        waiting = list(works)
        while waiting or self._running:
            busy = {work.slot.number for work, _ in self._running.values()}
            free = next((work for work in waiting if work.slot.number not in busy), None)
            if free and len(self._running) < at_once:
                waiting.remove(free)
                self._start(free)
            else:
                self._await_one()

    def _start(self, work: _Work) -> None:
        ours, its = _FORK.Pipe(duplex=False)
        process = _FORK.Process(target=self._work, args=(work, its, os.getpid()))
        self._at_work.value = len(self._running) + 1
        with _signals_held():  # until it is known here, and there knows what to do with them
            process.start()
            self._running[ours] = work, process
        its.close()

    def _await_one(self) -> None:
        """Wait until a slot has ended its work.

        Raises:
            Exception: what was raised there.
        """
        for ended in wait(list(self._running)):
            assert isinstance(ended, Connection)
            try:
                raised = ended.recv()
            except EOFError:
                raised = None
            work, process = self._running[ended]
            process.join()
            del self._running[ended]
            self._at_work.value = len(self._running)
            if raised is not None:
                raise raised
            if process.exitcode:
                raise MachineError(
                    f"Slot {work.slot.number + 1} was ended from outside (exit code {process.exitcode}). What was "
                    "measured is kept; the same command goes on from here."
                )
            self._tell(work)

    def _tell(self, work: _Work) -> None:
        self._ended += 1
        left = (time.monotonic() - self._began) / self._ended * (self._units - self._ended)
        alone = " alone" if work.unit.trials[0].is_alone else ""
        remaining = f", about {minutes(left)} left" if left else ""
        where = f"in slot {work.slot.number + 1}{alone}"
        say(f"[{self._ended}/{self._units} rounds and pairs alone] {work.unit.name} {where}: done{remaining}")

    def _stop(self) -> None:
        """End what still runs: by its `finally` blocks, or, if that takes too long or we are told again, at once."""
        processes = [process for _, process in self._running.values()]
        try:
            for process in processes:
                process.terminate()
            for process in processes:
                process.join(_END_SECONDS)
        finally:
            for process in processes:
                process.kill()
                process.join()
            self._running.clear()

    def _work(self, work: _Work, told: Connection, parent: int) -> None:
        """Run in the slot's process: measure, and tell what was raised."""
        die_with(parent)
        signal.signal(signal.SIGINT, _ignore)  # Ctrl-C reaches all of us; whoever started us decides
        signal.signal(signal.SIGTERM, _end)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        enter(work.slot, self._at_work)
        try:
            _pin(work.slot)
            self._launch(work.unit.trials, work.first)
        except Exception as error:
            told.send(_portable(error))
        finally:
            close_partner()


def _pin(slot: Slot) -> None:
    """Stay, with all that is started from here, on the slot's CPUs: trials choose their cores among these."""
    try:
        os.sched_setaffinity(0, slot.cpus)
    except OSError:
        raise core_gone(slot.cpus) from None


def _portable(error: Exception) -> Exception:
    """Return what can be raised in another process: what people are told, else the trace as a text."""
    told = storage_error(error) or error
    return told if isinstance(told, UserError) else RuntimeError(traceback.format_exc())


@contextmanager
def _signals_held() -> Iterator[None]:
    """Put signals off, of this thread and of others: what a handler raises in the middle of a fork is lost."""
    caught: list[int] = []
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    handlers = {number: signal.signal(number, lambda got, _: caught.append(got)) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for got in caught:
            signal.raise_signal(got)


def _ignore(number: int, frame: FrameType | None) -> None:
    """Do nothing. (Boxes would inherit SIG_IGN, but not this.)"""


def _end(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, _ignore)  # cleaning up is under way: once is enough
    raise SystemExit(128 + number)
