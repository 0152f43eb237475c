"""The runner ends, or is not alone."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from tests.faults.sweeps import SmallSweep, filled, kill


def killed_before_the_first_trial(sweep: SmallSweep) -> None:
    process = sweep.start()
    sweep.until((sweep.folder / "plan.json").exists, process)
    kill(process)
    sweep.end(process)


def killed_during_a_trial(sweep: SmallSweep) -> None:
    process = sweep.start()
    sweep.until(lambda: sweep.box() or sweep.container(), process)
    kill(process)
    sweep.end(process)


def killed_after_a_trial(sweep: SmallSweep) -> None:
    process = sweep.start()
    sweep.until(lambda: len(sweep.trials()) == 2, process)
    kill(process)
    sweep.end(process)


def ctrl_c(sweep: SmallSweep) -> None:
    _signalled(sweep, signal.SIGINT)


def ctrl_c_twice(sweep: SmallSweep) -> None:
    _signalled(sweep, signal.SIGINT, signal.SIGINT)


def terminated(sweep: SmallSweep) -> None:
    _signalled(sweep, signal.SIGTERM)


def second_sweep_in_the_folder(sweep: SmallSweep) -> None:
    first = sweep.start()
    sweep.until(lambda: len(sweep.trials()) == 1, first)
    sweep.run()
    sweep.end(first)


def second_sweep_on_the_core(sweep: SmallSweep) -> None:
    other = SmallSweep(sweep.folder.with_name("other"), sweep.store, sweep.kind, sweep.engine)
    first, second = sweep.start(), other.start()
    other.end(second)
    sweep.end(first)
    sweep.said.insert(0, other.said[0])
    assert other.codes == [0], other.said


def killed_at_random_moments(
    kills: int, chance: random.Random, place: Path, store: Path
) -> Iterator[tuple[SmallSweep, int]]:
    """Kill sweeps until it was done so many times, each up to three times; give each, and how often it was killed.

    Args:
        kills: how many.
        chance: for the moments.
        place: for their folders.
        store: a filled one.
    """
    done, seconds = 0, 0.0
    for number in count():
        sweep = filled(SmallSweep(place / f"kill{number}" / "sweep", place / f"kill{number}" / "store"), store)
        if number == 0:  # how long it takes, so that the moments lie within
            began = time.monotonic()
            sweep.run()
            seconds = time.monotonic() - began
            continue
        if done >= kills:
            return
        hits = _killed(sweep, min(3, kills - done), chance, seconds)
        done += hits
        if hits:
            yield sweep, hits


def _killed(sweep: SmallSweep, times: int, chance: random.Random, seconds: float) -> int:
    for killed in range(times):
        process = sweep.start()
        try:
            process.wait(chance.uniform(0, seconds))
            sweep.end(process)
            return killed  # it was over before
        except subprocess.TimeoutExpired:
            kill(process)
        sweep.end(process)
    return times


def _signalled(sweep: SmallSweep, *numbers: signal.Signals) -> None:
    process = sweep.start()
    sweep.until(lambda: sweep.trials() and (sweep.box() or sweep.container()), process)
    for number in numbers:
        kill(process, number)
        time.sleep(0.2)
    sweep.end(process)
