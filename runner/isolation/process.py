"""The process box: a pinned child process. Memory and network are not enclosed."""

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
    """Needs nothing but Linux; used where no Docker engine answers."""

    kind = "process"

    def memory_limit(self, memory_bytes: int) -> int | None:
        """A process box cannot limit memory as a whole."""
        return None

    def run(self, order: BoxOrder) -> BoxEnd:
        """Run in a child of its own session, so that all it started can be killed with it.

        Raises:
            MachineError: if its CPUs cannot be had any more.
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
                raise core_gone(order.cpus) from None  # all that can fail in `_pin`
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
    """Return where the child finds our code, if not among its own packages, and the user's."""
    ours = None if CODE.parent == _SITE_PACKAGES else CODE.parent
    return ":".join(str(path) for path in (ours, order.plugin and order.plugin.absolute()) if path)


def die_with(parent: int) -> None:
    """Run in a child: have the kernel kill it when its parent dies, or nobody would end it."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it died before that call


def _pin(cpus: list[int], parent: int) -> None:
    """Run in the child: let it die with us, and give it its CPUs."""
    die_with(parent)
    os.sched_setaffinity(0, cpus)


def _kill_session(child: subprocess.Popen[bytes]) -> None:
    """Kill the child and all that it left behind."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    child.wait()
