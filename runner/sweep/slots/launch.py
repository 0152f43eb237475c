"""Launch rounds in slots: each round of the jobs that share a baseline runs in its own process, pinned to its slot.

The pairs alone run one at a time, while all other slots are idle. Half of them run before the rounds and half after
them, so that a machine that gets slower during the sweep does not look like a cost of slots.
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

_FORK = get_context("fork")  # a slot uses the modules and configs that this process has already loaded
_EXIT_SECONDS = 60.0  # the time for a slot to remove its boxes, because the Docker engine may be slow
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class _Work:
    """A unit, its slot, and the number of its first trial among all trials."""

    unit: Unit
    slot: Slot
    first: int


class InSlots:
    """A launch function that measures several rounds at once.

    The number of a round and its block of jobs determine its slot. So an interrupted round continues in the same slot,
    a pair alone is measured in the slot of its round, and every slot gets the same share of each block.

    Args:
        slots: the slots, at least two.
        blocks: the keys of the blocks of jobs, in a fixed order.
        launch: the function that runs trials one after the other.
    """

    def __init__(self, slots: Sequence[Slot], blocks: Sequence[str], launch: Launch) -> None:
        self._slots, self._launch = slots, launch
        self._place = {block: place for place, block in enumerate(blocks)}
        self._at_work = _FORK.RawValue("i", 0)
        self._running: dict[Connection, tuple[_Work, ForkProcess]] = {}

    def __call__(self, trials: list[TrialSpec], first: int) -> None:
        """Run the trials, the first of which has the number `first`.

        Raises:
            MachineError: if the engine, the disk or a core has gone, or if a slot was killed. Then all slots have
                stopped.
        """
        alone = units_of(trial for trial in trials if trial.is_alone)
        rounds = units_of(trial for trial in trials if not trial.is_alone)
        half = (len(alone) + 1) // 2
        self._ended, self._units, self._began = 0, len(alone) + len(rounds), time.monotonic()
        try:
            for units, at_once in ((alone[:half], 1), (rounds, len(self._slots)), (alone[half:], 1)):
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
        """Run all units, at most `at_once` at the same time, and at most one in each slot."""
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
        receiver, sender = _FORK.Pipe(duplex=False)
        process = _FORK.Process(target=self._work, args=(work, sender, os.getpid()))
        self._at_work.value = len(self._running) + 1
        with _postponed_signals():  # until `_running` has the process and the process has set its own handlers
            process.start()
            self._running[receiver] = work, process
        sender.close()

    def _await_one(self) -> None:
        """Wait until at least one slot has ended its work.

        Raises:
            Exception: the exception that was raised in the slot.
            MachineError: if the slot's process was killed.
        """
        for receiver in wait(list(self._running)):
            assert isinstance(receiver, Connection)
            try:
                error = receiver.recv()
            except EOFError:
                error = None
            work, process = self._running[receiver]
            process.join()
            del self._running[receiver]
            self._at_work.value = len(self._running)
            if error is not None:
                raise error
            if process.exitcode:
                raise MachineError(
                    f"Slot {work.slot.number + 1} was ended from outside (exit code {process.exitcode}). What was "
                    "measured is kept, and the same command goes on from here."
                )
            self._report(work)

    def _report(self, work: _Work) -> None:
        self._ended += 1
        left = (time.monotonic() - self._began) / self._ended * (self._units - self._ended)
        alone = " alone" if work.unit.trials[0].is_alone else ""
        remaining = f", about {minutes(left)} left" if left else ""
        where = f"in slot {work.slot.number + 1}{alone}"
        say(f"[{self._ended}/{self._units} rounds and pairs alone] {work.unit.name} {where}: done{remaining}")

    def _stop(self) -> None:
        """End all running slots. Kill them if they take too long, or if a second signal arrives."""
        processes = [process for _, process in self._running.values()]
        try:
            for process in processes:
                process.terminate()
            for process in processes:
                process.join(_EXIT_SECONDS)
        finally:
            for process in processes:
                process.kill()
                process.join()
            self._running.clear()

    def _work(self, work: _Work, sender: Connection, parent: int) -> None:
        """Run the trials in the slot's process, and send an exception to the parent process."""
        die_with(parent)
        signal.signal(signal.SIGINT, _ignore)  # Ctrl-C reaches all processes, and the parent ends this one
        signal.signal(signal.SIGTERM, _exit)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        enter(work.slot, self._at_work)
        try:
            _pin(work.slot)
            self._launch(work.unit.trials, work.first)
        except Exception as error:
            sender.send(_picklable(error))
        finally:
            close_partner()


def _pin(slot: Slot) -> None:
    """Pin this process and its children to the slot's CPUs. Trials choose their cores among them."""
    try:
        os.sched_setaffinity(0, slot.cpus)
    except OSError:
        raise core_gone(slot.cpus) from None


def _picklable(error: Exception) -> Exception:
    """Return an exception that another process can raise: an error for people, or the traceback as a text."""
    error = storage_error(error) or error
    return error if isinstance(error, UserError) else RuntimeError(traceback.format_exc())


@contextmanager
def _postponed_signals() -> Iterator[None]:
    """Postpone signals to this process until the context ends. An exception that a handler raises in a fork is lost."""
    caught: list[int] = []
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    handlers = {number: signal.signal(number, lambda signum, _: caught.append(signum)) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for signum in caught:
            signal.raise_signal(signum)


def _ignore(number: int, frame: FrameType | None) -> None:
    """Do nothing. Boxes would inherit SIG_IGN, but they do not inherit this handler."""


def _exit(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, _ignore)  # a second signal must not interrupt the clean-up
    raise SystemExit(128 + number)
