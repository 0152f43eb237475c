"""A trial's container ends otherwise than it should. Any engine will do; it is left as it was."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from docker.errors import APIError
from docker.models.containers import Container

from tests.faults.misbehaving import behave, let
from tests.faults.sweeps import SmallSweep

_FORK_BOMB = """
import os, time
while True:
    try:
        os.fork()
    except OSError:
        time.sleep(0.1)
"""
_MEMORY_BOMB = """
import os
for _ in range(6):
    os.fork()
hoard = []
while True:
    hoard.append(b"x" * (1 << 20))
"""
_TOO_MUCH = """
hoard = []
while True:
    hoard.append(b"x" * (10 << 20))
"""
_TOO_MUCH_IN_A_CHILD = """
import subprocess
subprocess.run([sys.executable, "-c", "hoard = [b'x' * (10 << 20) for _ in range(1000)]"])
"""


def container_killed(sweep: SmallSweep) -> None:
    _during_a_trial(sweep, lambda container: container.kill())


def container_removed(sweep: SmallSweep) -> None:
    _during_a_trial(sweep, lambda container: container.remove(force=True))


def container_hangs(sweep: SmallSweep) -> None:
    _during_a_trial(sweep, lambda container: container.pause())


def out_of_memory(sweep: SmallSweep) -> None:
    _misbehaving(sweep, _TOO_MUCH)


def out_of_memory_in_a_child(sweep: SmallSweep) -> None:
    _misbehaving(sweep, _TOO_MUCH_IN_A_CHILD)


def memory_bomb(sweep: SmallSweep) -> None:
    _misbehaving(sweep, _MEMORY_BOMB)


def fork_bomb(sweep: SmallSweep) -> None:
    _misbehaving(sweep, _FORK_BOMB)


def _during_a_trial(sweep: SmallSweep, harm: Callable[[Container], object]) -> None:
    process = sweep.start()
    sweep.until(lambda: _harmed(sweep.container(), harm), process)
    sweep.end(process)


def _harmed(container: Container | None, harm: Callable[[Container], object]) -> bool:
    try:
        if container:
            harm(container)
    except APIError:
        return False  # it has just ended
    return container is not None


def _misbehaving(sweep: SmallSweep, code: str) -> None:
    """Let every trial of the int8 model do that once."""
    is_int8 = 'if b"DynamicQuantizeLinear" in (paths["artifact"] / "model.onnx").read_bytes():'
    let(sweep, "trial", is_int8 + textwrap.indent(code, "    "))
    sweep.run()
    behave(sweep)
