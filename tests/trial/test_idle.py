"""Waiting until the threads of a process are idle: with real threads, which compute outside Python's lock."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from textwrap import dedent

from runner.trial.idle import wait_until_idle

SPINNER = """
    import os, sys, threading, time, zlib
    from runner.trial.idle import wait_until_idle

    seconds, limit, cpu = map(float, sys.argv[1:])
    if cpu >= 0:
        os.sched_setaffinity(0, {int(cpu)})
    data = bytes(200_000)
    began = time.perf_counter()

    def spin():
        while time.perf_counter() - began < seconds:
            zlib.compress(data)  # it releases Python's lock, as the threads of an engine do

    threading.Thread(target=spin, daemon=True).start()
    idle = wait_until_idle(limit)
    print(idle, time.perf_counter() - began)
    sys.stdout.flush()
    os._exit(0)
"""


def spin(seconds: float, limit: float, cpu: int = -1) -> tuple[bool, float]:
    """Return what waiting for a process with a spinning thread returned, and how long it took."""
    command = [sys.executable, "-c", dedent(SPINNER), str(seconds), str(limit), str(cpu)]
    idle, waited = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return idle == "True", float(waited)


def test_a_process_that_does_nothing_is_idle_at_once() -> None:
    assert wait_until_idle(limit_seconds=30)


def test_it_waits_until_the_threads_stop_spinning() -> None:
    idle, waited = spin(seconds=0.3, limit=30)
    assert idle
    assert waited >= 0.29


def test_threads_that_spin_for_ever_are_given_up() -> None:
    idle, waited = spin(seconds=30, limit=0.2)
    assert not idle
    assert 0.2 <= waited < 25


def test_a_thread_that_waits_for_a_busy_cpu_is_not_idle() -> None:
    """The CPU clock of a process stands still, too, while another process has its CPU."""
    cpu = min(os.sched_getaffinity(0))
    hog = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])})\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", hog, str(cpu)]) as busy:
        try:
            time.sleep(0.2)
            idle, waited = spin(seconds=0.5, limit=30, cpu=cpu)
        finally:
            busy.kill()
    assert idle
    assert waited >= 0.49
