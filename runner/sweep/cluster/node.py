"""On a node: run what it was given, one trial after the other, and leave no box behind when it is told to stop."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from runner.errors import UserError
from runner.machine import provenance
from runner.store.sweep_folder import SweepFolder
from runner.sweep.cluster.units import NODE, Unit, note_node, noted_node, this_node
from runner.sweep.partner import close_partner

#: Slurm sends the first for scancel and preemption, the second shortly before the time limit, as submitit asked it to.
_STOPPING = {signal.SIGTERM: "cancelled or preempted", signal.SIGUSR2: "reached its time limit"}

RunTrial = Callable[[SweepFolder, str], object]


class StoppedError(BaseException):
    """The scheduler wants its node back; like KeyboardInterrupt it passes through `except Exception`."""


def run_unit(unit: Unit, sweep: SweepFolder, run_trial: RunTrial) -> dict[str, str]:
    """Run the trials of a unit that have no file yet.

    Args:
        unit: what to run.
        sweep: its folder, shared by all nodes.
        run_trial: runs one trial, given the folder and the trial's name.

    Returns:
        Why, for each trial that was lost: what was raised, or that the job was stopped.
    """
    lost: dict[str, str] = {}
    names = [trial.name for trial in unit.trials]
    name = names[0]
    with _on_node():
        try:
            _claim(unit, sweep)
            for name in names:
                try:
                    if not sweep.trial(name).exists():
                        sweep.lost(name).unlink(missing_ok=True)
                        run_trial(sweep, name)
                except Exception as error:
                    lost[name] = f"on {this_node()}: {type(error).__name__}: {error}".splitlines()[0]
        except StoppedError as stop:
            _forget_failure(sweep, name)
            left = [name for name in names if not sweep.trial(name).exists()]
            lost |= {name: f"on {this_node()}: {stop}" for name in left if name not in lost}
        finally:
            close_partner()
    return lost


def run_here(function: Callable[..., Any], *arguments: Any) -> str | None:
    """Run any function; return None, or why it was stopped."""
    with _on_node():
        try:
            function(*arguments)
        except StoppedError as stop:
            return f"on {this_node()}: {stop}"
    return None


def _claim(unit: Unit, sweep: SweepFolder) -> None:
    """Note that this node measures the unit.

    Raises:
        UserError: if another one began it: ratios across nodes mean nothing.
    """
    note = noted_node(sweep, unit.name)
    if note is not None and note["node"] != this_node():
        raise UserError(f"{this_node()} was given a round that {note['node']} began.")
    note_node(sweep, unit.name, provenance.environment())


def _forget_failure(sweep: SweepFolder, trial: str) -> None:
    """Forget that the last trial failed: Slurm signals boxes, too, and one may have died of it a moment before us."""
    path = sweep.trial(trial)
    if path.exists() and json.loads(path.read_text())["status"] != "ok":
        path.unlink()


@contextmanager
def _on_node() -> Iterator[None]:
    """Know the node's name, and turn the scheduler's signals into `StoppedError`, for as long as this lasts."""
    os.environ[NODE] = os.environ["SLURMD_NODENAME"]
    before = {number: signal.signal(number, _stop) for number in _STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, frame: object) -> NoReturn:
    for each in _STOPPING:
        signal.signal(each, signal.SIG_IGN)  # cleaning up is under way: once is enough
    job = os.environ.get("SLURM_ARRAY_JOB_ID", os.environ.get("SLURM_JOB_ID"))
    raise StoppedError(f"the Slurm job {job} was {_STOPPING[signal.Signals(number)]}")
