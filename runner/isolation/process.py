"""Run boxes as pinned child processes, whose memory and network are not limited."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import sysconfig
from functools import partial
from pathlib import Path

from runner.config.paths import CODE
from runner.isolation.box import Box, BoxEnd, BoxOrder, environment, stoppable, write_request
from runner.machine.topology import core_gone

_LIBC = ctypes.CDLL(None)  # loaded before any fork
_PR_SET_PDEATHSIG = 1
_SITE_PACKAGES = Path(sysconfig.get_path("purelib")).resolve()


class ProcessBox(Box):
    """A kind of box that needs only Linux. It is used if no Docker engine answers."""

    kind = "process"

    def memory_limit(self, memory_bytes: int) -> int | None:
        """Return None, because a process box cannot limit its total memory."""
        return None

    def run(self, order: BoxOrder) -> BoxEnd:
        """Run the order in a child with its own session, so that all processes that it started can be killed.

        Raises:
            MachineError: if its CPUs are no longer available.
        """
        paths = {name: str(path.absolute()) for name, path in order.inputs.items()}
        request = write_request(order, paths | {"output": str(order.output.absolute())})
        log_path = order.output / "log.txt"
        with log_path.open("wb") as log:
            try:
                child = subprocess.Popen(
                    [sys.executable, "-m", order.module, str(request.absolute())],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=environment(len(order.cpus)) | {"PYTHONPATH": _python_path(order), "PATH": os.environ["PATH"]},
                    cwd=order.output,
                    start_new_session=True,
                    preexec_fn=partial(_pin, order.cpus, os.getpid()),
                )
            except subprocess.SubprocessError:
                raise core_gone(order.cpus) from None  # nothing else can fail in `_pin`
            timed_out = False
            try:
                with stoppable(partial(_kill_session, child)):
                    child.wait(order.timeout_seconds)
            except subprocess.TimeoutExpired:
                timed_out = True
            finally:
                _kill_session(child)
        text = log_path.read_text(errors="replace")
        log_path.unlink()
        return BoxEnd(child.returncode, out_of_memory=False, timed_out=timed_out, log=text)


def _python_path(order: BoxOrder) -> str:
    """Return the folders of the user's code and, unless it is installed as a package, of Pinbox's code."""
    pinbox = None if CODE.parent == _SITE_PACKAGES else CODE.parent
    return ":".join(str(path) for path in (pinbox, order.plugin and order.plugin.absolute()) if path)


def die_with(parent: int) -> None:
    """Let the kernel kill this child process when its parent dies. Otherwise nothing would end it."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # the parent died before that call


def _pin(cpus: list[int], parent: int) -> None:
    """Pin this child process to its CPUs, and let it die with its parent."""
    die_with(parent)
    os.sched_setaffinity(0, cpus)


def _kill_session(child: subprocess.Popen[bytes]) -> None:
    """Kill the child and all processes that it left behind."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    child.wait()
