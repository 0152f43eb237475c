"""Run trials on a node of a cluster one after the other, and remove their boxes when the scheduler stops the job."""

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

#: Slurm sends SIGTERM for scancel and preemption. Because submitit asks for it, Slurm sends SIGUSR2 before the limit.
_STOPPING = {signal.SIGTERM: "cancelled or preempted", signal.SIGUSR2: "reached its time limit"}

RunTrial = Callable[[SweepFolder, str], object]


class StoppedError(BaseException):
    """The scheduler stops the job. Like KeyboardInterrupt, the error passes through `except Exception`."""


def run_unit(unit: Unit, sweep: SweepFolder, run_trial: RunTrial) -> dict[str, str]:
    """Run the trials of a unit that have no file yet.

    Args:
        unit: the unit.
        sweep: the sweep's folder, which all nodes share.
        run_trial: a function that runs one trial. It gets the folder and the trial's name.

    Returns:
        The reason for each trial that was lost: the error that was raised, or the signal that stopped the job.
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
            _remove_failed_result(sweep, name)
            missing = [name for name in names if not sweep.trial(name).exists()]
            lost |= {name: f"on {this_node()}: {stop}" for name in missing if name not in lost}
        finally:
            close_partner()
    return lost


def run_here(function: Callable[..., Any], *arguments: Any) -> str | None:
    """Run a function. Return None if it ended, or the reason why it was stopped."""
    with _on_node():
        try:
            function(*arguments)
        except StoppedError as stop:
            return f"on {this_node()}: {stop}"
    return None


def _claim(unit: Unit, sweep: SweepFolder) -> None:
    """Record that this node measures the unit.

    Raises:
        UserError: if another node has begun the unit, because ratios across nodes have no meaning.
    """
    note = noted_node(sweep, unit.name)
    if note is not None and note["node"] != this_node():
        raise UserError(f"{this_node()} was given a round that {note['node']} began.")
    note_node(sweep, unit.name, provenance.environment())


def _remove_failed_result(sweep: SweepFolder, trial: str) -> None:
    """Remove the result of the last trial if it failed. Slurm also signals boxes, and the signal may have killed it."""
    path = sweep.trial(trial)
    if path.exists() and json.loads(path.read_text())["status"] != "ok":
        path.unlink()


@contextmanager
def _on_node() -> Iterator[None]:
    """Set the node's name, and raise `StoppedError` within the context if the scheduler sends a signal."""
    os.environ[NODE] = os.environ["SLURMD_NODENAME"]
    before = {number: signal.signal(number, _stop) for number in _STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, frame: object) -> NoReturn:
    for stopping in _STOPPING:
        signal.signal(stopping, signal.SIG_IGN)  # a second signal must not interrupt the clean-up
    job = os.environ.get("SLURM_ARRAY_JOB_ID", os.environ.get("SLURM_JOB_ID"))
    raise StoppedError(f"the Slurm job {job} was {_STOPPING[signal.Signals(number)]}")
